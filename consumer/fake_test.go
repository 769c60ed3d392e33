package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// fakeQueue is a queue in memory: ready, handed out, in a tier, dead or done.
// It keeps the rules of hook.Delivery, and notes who breaks them.
type fakeQueue struct {
	mu      sync.Mutex
	changed chan struct{}
	items   []*item
	order   int
	broken  []string

	// trouble is asked before a delivery is settled.
	trouble func(d *delivery, how string, after time.Duration) trouble

	settles []string // what was done, in order
}

// trouble is what happens to one call.
type trouble struct {
	Delay time.Duration
	Fail  bool // without effect
	Lose  bool // with effect, and the answer is lost
}

type item struct {
	ev           hook.Event
	state        string // ready, held, tier, dead, done
	order        int
	redeliveries int
	first        time.Time
	fault        hook.Fault
}

func newFakeQueue() *fakeQueue { return &fakeQueue{changed: make(chan struct{})} }

func (q *fakeQueue) notify() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *fakeQueue) violate(format string, args ...any) {
	q.broken = append(q.broken, fmt.Sprintf(format, args...))
}

// put makes events ready.
func (q *fakeQueue) put(events ...*hook.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ev := range events {
		q.add(&item{ev: *ev})
	}
	q.notify()
}

func (q *fakeQueue) add(it *item) {
	q.order++
	it.order, it.state = q.order, "ready"
	q.items = append(q.items, it)
}

// count returns how many events are in a state.
func (q *fakeQueue) count(state string) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		if it.state == state {
			n++
		}
	}
	return n
}

// letters returns the faults of the dead letters.
func (q *fakeQueue) letters() (faults []hook.Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		if it.state == "dead" {
			faults = append(faults, it.fault)
		}
	}
	return faults
}

func (q *fakeQueue) history() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.settles)
}

// source is one consumer's connection to the queue.
type source struct {
	q        *fakeQueue
	prefetch int
	windows  []int // as they were asked for
	held     map[*delivery]bool
	gone     bool
	fatal    error
}

func (q *fakeQueue) source() *source {
	return &source{q: q, held: map[*delivery]bool{}}
}

func (s *source) Prefetch(n int) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	s.prefetch = n
	s.windows = append(s.windows, n)
	s.q.notify()
}

func (s *source) asked() []int {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	return slices.Clone(s.windows)
}

func (s *source) Receive(ctx context.Context) (hook.Delivery, error) {
	for {
		s.q.mu.Lock()
		d, err := s.take()
		changed := s.q.changed
		s.q.mu.Unlock()
		if d != nil || err != nil {
			return d, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// take hands out the oldest event. It returns a nil interface for none.
func (s *source) take() (hook.Delivery, error) {
	if s.gone {
		return nil, nil
	}
	if s.fatal != nil {
		return nil, s.fatal
	}
	if len(s.held) >= s.prefetch {
		return nil, nil
	}
	var next *item
	for _, it := range s.q.items {
		if it.state == "ready" && (next == nil || it.order < next.order) {
			next = it
		}
	}
	if next == nil {
		return nil, nil
	}
	next.state = "held"
	d := &delivery{s: s, it: next, ev: next.ev, redeliveries: next.redeliveries}
	s.held[d] = true
	return d, nil
}

// crash is the end of the consumer, without a word: what it holds is handed out
// again, and it can do nothing more.
func (s *source) crash() {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	s.gone = true
	for d := range s.held {
		d.it.redeliveries++
		d.it.state = "ready"
	}
	clear(s.held)
	s.q.notify()
}

// delivery implements hook.Delivery and hook.Failed.
type delivery struct {
	s            *source
	it           *item
	ev           hook.Event
	redeliveries int
	settled      bool
}

func (d *delivery) Event() *hook.Event { return &d.ev }
func (d *delivery) Redeliveries() int  { return d.redeliveries }

func (d *delivery) FirstFault() time.Time {
	d.s.q.mu.Lock()
	defer d.s.q.mu.Unlock()
	return d.it.first
}

var errQueueDown = errors.New("the queue is down")

// settle does something with the event, once.
func (d *delivery) settle(ctx context.Context, how string, after time.Duration, fn func(it *item)) error {
	q := d.s.q
	var tr trouble
	if q.trouble != nil {
		tr = q.trouble(d, how, after)
	}
	if tr.Delay > 0 {
		select {
		case <-time.After(tr.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case d.s.gone:
		return errQueueDown
	case d.settled:
		q.violate("%s is settled twice, now by %s", d.ev.ID, how)
		return errors.New("settled twice")
	case tr.Fail && how == "return":
		// The queue hands out by itself what nobody has settled.
		d.settled = true
		time.AfterFunc(20*time.Second, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			if d.s.held[d] {
				delete(d.s.held, d)
				d.it.redeliveries++
				d.it.state = "ready"
				q.notify()
			}
		})
		return errQueueDown
	case tr.Fail:
		return errQueueDown
	case tr.Lose && how != "return":
		// A tier or the dead letters have a copy, and the event stays.
		if how != "done" {
			twin := &item{ev: d.ev}
			q.add(twin)
			fn(twin)
			q.notify()
		}
		return errQueueDown
	}
	d.settled = true
	delete(d.s.held, d)
	fn(d.it)
	q.settles = append(q.settles, how)
	q.notify()
	return nil
}

func (d *delivery) Done(ctx context.Context) error {
	return d.settle(ctx, "done", 0, func(it *item) { it.state = "done" })
}

func (d *delivery) Later(ctx context.Context, after time.Duration, f *hook.Fault) error {
	how := "later " + after.String()
	if f == nil {
		how = "back " + after.String()
	}
	return d.settle(ctx, how, after, func(it *item) {
		it.state, it.redeliveries = "tier", 0
		if f != nil {
			if f.Attempt != it.ev.Attempt+1 {
				d.s.q.violate("%s failed %d times, and its fault says %d", it.ev.ID, it.ev.Attempt+1, f.Attempt)
			}
			it.ev.Attempt++
			it.first = f.First
		}
		time.AfterFunc(after, func() {
			d.s.q.mu.Lock()
			defer d.s.q.mu.Unlock()
			d.s.q.order++
			it.state, it.order = "ready", d.s.q.order
			d.s.q.notify()
		})
	})
}

func (d *delivery) Dead(ctx context.Context, f hook.Fault) error {
	return d.settle(ctx, "dead "+string(f.Kind), 0, func(it *item) { it.state, it.fault = "dead", f })
}

func (d *delivery) Return(ctx context.Context) error {
	return d.settle(ctx, "return", 0, func(it *item) {
		it.redeliveries++
		it.state = "ready"
	})
}

// fakeStore is a store in memory. It is right, as far as a test does not make
// it fail.
type fakeStore struct {
	mu      sync.Mutex
	keys    map[string]entry
	fail    error
	claims  int
	trouble func(op, key string) trouble
}

type entry struct {
	committed bool
	token     hook.Token
	fp        hook.Fingerprint
	expires   time.Time
}

func newFakeStore() *fakeStore { return &fakeStore{keys: map[string]entry{}} }

func (s *fakeStore) setError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// do runs one operation, under the trouble that there is.
func (s *fakeStore) do(ctx context.Context, op, key string, fn func()) error {
	var tr trouble
	if s.trouble != nil {
		tr = s.trouble(op, key)
	}
	if tr.Delay > 0 {
		select {
		case <-time.After(tr.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.fail != nil:
		return s.fail
	case tr.Fail:
		return errors.New("the store is down")
	}
	fn()
	if tr.Lose {
		return errors.New("the store's answer is lost")
	}
	return nil
}

func (s *fakeStore) get(key string) (entry, bool) {
	e, ok := s.keys[key]
	return e, ok && time.Now().Before(e.expires)
}

func (s *fakeStore) Claim(ctx context.Context, c hook.Claim) (state hook.State, fp hook.Fingerprint, err error) {
	err = s.do(ctx, "claim", c.Key, func() {
		s.claims++
		e, found := s.get(c.Key)
		switch {
		case found && e.committed:
			state, fp = hook.Committed, e.fp
		case found && e.token != c.Token:
			state, fp = hook.Pending, e.fp
		default:
			s.keys[c.Key] = entry{token: c.Token, fp: c.Fingerprint, expires: time.Now().Add(c.Lease)}
			state, fp = hook.Ours, c.Fingerprint
		}
	})
	if err != nil {
		return 0, fp, err
	}
	return state, fp, nil
}

func (s *fakeStore) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	err = s.do(ctx, "renew", c.Key, func() {
		if e, found := s.get(c.Key); found && !e.committed && e.token == c.Token {
			e.expires = time.Now().Add(c.Lease)
			s.keys[c.Key] = e
			held = true
		}
	})
	return held, err
}

func (s *fakeStore) Release(ctx context.Context, c hook.Claim) error {
	return s.do(ctx, "release", c.Key, func() {
		if e, found := s.get(c.Key); found && !e.committed && e.token == c.Token {
			delete(s.keys, c.Key)
		}
	})
}

func (s *fakeStore) Commit(ctx context.Context, claims ...hook.Claim) error {
	return s.do(ctx, "commit", claims[0].Key, func() {
		for _, c := range claims {
			s.keys[c.Key] = entry{committed: true, fp: c.Fingerprint, expires: time.Now().Add(c.TTL)}
		}
	})
}

func (s *fakeStore) Ready() error { return nil }

func (s *fakeStore) committed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, found := s.get(key)
	return found && e.committed
}
