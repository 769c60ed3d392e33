package accept

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// Action is what a hook does in a case that it may decide.
type Action uint8

// The actions.
const (
	Reject  Action = iota // answer an error
	Park                  // keep the event for a person
	Publish               // publish it unverified
)

// GateOptions of a Gate. All are required.
type GateOptions struct {
	Core  *Core
	Store hook.Store // the Core's
	Queue hook.Queue // where Store and Queue are one hook.Accepter, it takes events in one transaction
}

// Policy is what a hook says about its events.
type Policy struct {
	// Lease of a claim. Default: that for a timeout of 500ms.
	Lease time.Duration

	// TTL is how long an event ID is remembered. Default: 48h.
	TTL time.Duration

	// OnConflict is Park or Reject. Default: Reject.
	OnConflict Action

	// OnStoreFailure is Publish or Reject, also for what is parked. Default:
	// Reject.
	OnStoreFailure Action
}

// Result is what became of an event.
type Result struct {
	Outcome hook.Outcome
	Local   bool          // durable on this node only
	Claim   time.Duration // spent asking the store
	Publish time.Duration // spent until the queue confirmed
}

// Gate takes events: once, durably, into a queue.
type Gate struct {
	core     *Core
	queue    hook.Queue
	accepter hook.Accepter // nil unless store and queue are one
}

// NewGate returns a Gate.
func NewGate(opts GateOptions) (*Gate, error) {
	if opts.Core == nil || opts.Store == nil || opts.Queue == nil {
		return nil, errors.New("accept: a gate needs a core, a store and a queue")
	}
	g := &Gate{core: opts.Core, queue: opts.Queue}
	if a, ok := opts.Queue.(hook.Accepter); ok && any(opts.Store) == any(opts.Queue) {
		g.accepter = a
	}
	return g, nil
}

// Accept takes an event. Its outcome is accepted, duplicate, or, for another
// body under an ID that was taken before and where the policy says so, parked.
func (g *Gate) Accept(ctx context.Context, ev *hook.Event, p Policy) (Result, error) {
	res, fp, err := g.take(ctx, ev, nil, hook.EventKey(ev.Hook, ev.ID), p)
	switch {
	case err != nil || res.Outcome != hook.OutcomeDuplicate || fp == ev.Fingerprint:
		return res, err
	case p.OnConflict != Park:
		return res, hook.ErrConflict
	}
	parked, err := g.Park(ctx, ev, hook.Fault{
		Kind: hook.KindConflict, Message: "another body was taken under this event ID before",
		Time: ev.ReceivedAt, First: ev.ReceivedAt,
	}, p)
	parked.Claim += res.Claim
	parked.Publish += res.Publish
	return parked, err
}

// Park keeps an event as a dead letter. It goes under a key of its own, so
// that a corrected resend of the event is taken. Its outcome is parked or
// duplicate.
func (g *Gate) Park(ctx context.Context, ev *hook.Event, f hook.Fault, p Policy) (Result, error) {
	key := hook.ParkKey(ev.Hook, ev.ID, ev.Fingerprint)
	if ev.ID == "" {
		named := *ev
		named.ID = hook.DigestID(ev.Fingerprint)
		ev = &named
	}
	res, _, err := g.take(ctx, ev, &f, key, p)
	return res, err
}

// Publish hands an event to the queue, for a caller that holds its claim.
func (g *Gate) Publish(ctx context.Context, ev *hook.Event) (Result, error) {
	var res Result
	if err := g.send(ctx, ev, nil, time.Now(), &res); err != nil {
		return res, queueError(err)
	}
	res.Outcome = hook.OutcomeAccepted
	return res, nil
}

// take claims a key and puts the event where it belongs: into the queue, or
// with a fault to the dead letters.
func (g *Gate) take(ctx context.Context, ev *hook.Event, park *hook.Fault, key string, p Policy) (Result, hook.Fingerprint, error) {
	claim := hook.Claim{Key: key, Token: hook.NewToken(), Fingerprint: ev.Fingerprint, Lease: p.Lease, TTL: p.TTL}
	setDefault(&claim.Lease, Lease(500*time.Millisecond))
	setDefault(&claim.TTL, 48*time.Hour)

	var (
		res   Result
		state hook.State
		fp    hook.Fingerprint
		err   error
	)
	begin := time.Now()
	if g.accepter != nil {
		state, fp, err = g.acceptAtOnce(ctx, claim, ev, park)
		res.Publish = time.Since(begin)
	} else {
		state, fp, err = g.core.Do(ctx, claim, func(ctx context.Context) error {
			now := time.Now()
			res.Claim = now.Sub(begin)
			return g.send(ctx, ev, park, now, &res)
		})
		if res.Claim == 0 {
			res.Claim = time.Since(begin)
		}
		err = queueError(err)
		if p.OnStoreFailure == Publish && errors.Is(err, hook.ErrStoreUnavailable) {
			state = hook.Ours
			err = g.sendUnverified(ctx, claim, ev, park, &res)
		}
	}
	if err != nil {
		return res, fp, err
	}
	switch {
	case state == hook.Committed:
		res.Outcome = hook.OutcomeDuplicate
	case park != nil:
		res.Outcome = hook.OutcomeParked
	default:
		res.Outcome = hook.OutcomeAccepted
	}
	return res, fp, nil
}

// acceptAtOnce takes an event in one transaction.
func (g *Gate) acceptAtOnce(ctx context.Context, claim hook.Claim, ev *hook.Event, park *hook.Fault) (hook.State, hook.Fingerprint, error) {
	if !g.core.enter() {
		return 0, hook.Fingerprint{}, hook.ErrDraining
	}
	defer g.core.leave()
	return g.core.await(ctx, func(time.Time) (hook.State, hook.Fingerprint, error) {
		state, fp, err := g.accepter.Accept(ctx, claim, ev, park)
		if _, ok := errors.AsType[*hook.InDoubt](err); ok {
			return 0, fp, inDoubt(claim, err)
		}
		return state, fp, queueError(err)
	})
}

// send publishes or parks, and notes how long it took.
func (g *Gate) send(ctx context.Context, ev *hook.Event, park *hook.Fault, begin time.Time, res *Result) error {
	defer func() { res.Publish = time.Since(begin) }()
	var (
		receipt hook.Receipt
		err     error
	)
	if park != nil {
		receipt, err = g.queue.Park(ctx, ev, *park)
	} else {
		receipt, err = g.queue.Publish(ctx, ev)
	}
	res.Local = receipt.Local
	return err
}

// sendUnverified sends an event that nobody could claim, and says so in it. A
// copy is the consumer's to drop, or a second letter under the same ID.
func (g *Gate) sendUnverified(ctx context.Context, claim hook.Claim, ev *hook.Event, park *hook.Fault, res *Result) error {
	marked := *ev
	marked.Header = maps.Clone(ev.Header)
	if marked.Header == nil {
		marked.Header = map[string]string{}
	}
	marked.Header[hook.HeaderUnverified] = "true"
	err := g.send(ctx, &marked, park, time.Now(), res)
	if err == nil {
		g.core.commits.add(claim)
	}
	return queueError(err)
}

// queueError gives the errors of a queue their code, and when to come back.
func queueError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*hook.Error](err); ok {
		return err
	}
	switch code := hook.CodeOf(err); code {
	case hook.CodeInternal:
		return &hook.Error{Code: hook.CodeQueueUnavailable, Err: fmt.Errorf("queue: %w", err)}
	case hook.CodeOutcomeUnknown:
		return &hook.Error{Code: code, RetryAfter: RetryAfter(Lease(0)), Err: err}
	default:
		return &hook.Error{Code: code, Err: err}
	}
}
