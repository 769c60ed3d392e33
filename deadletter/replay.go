package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// ReplayOptions say which letters are sent again, and how.
type ReplayOptions struct {
	// Filter says which letters are meant. All letters of an event go
	// together. Required, without All.
	Filter Filter `json:"filter"`

	// All means all letters. Default: false.
	All bool `json:"all,omitempty"`

	// DryRun sends nothing. Default: false.
	DryRun bool `json:"dry_run,omitempty"`

	// Limit is how many letters are sent at most. Default: 0, no bound.
	Limit int `json:"limit,omitempty"`

	// Rate is how many letters are sent a second at most. Default: 0, no
	// bound.
	Rate float64 `json:"rate,omitempty"`

	// Contracts are contracts of one's own, as in their files, which letters
	// that did not meet them are held against. Default: those of the Desk.
	Contracts []json.RawMessage `json:"contracts,omitempty"`
}

// Check returns what is wrong with the options.
func (o *ReplayOptions) Check() error {
	switch {
	case o.Filter.Empty() && !o.All:
		return ErrNoScope
	case !o.Filter.Empty() && o.All:
		return errors.New("all letters are meant, and only some of them: say one of both")
	case o.Limit < 0:
		return errors.New("the limit is negative")
	case !(o.Rate >= 0) || o.Rate > 1e6:
		return errors.New("the rate is not 0 to 1000000 letters a second")
	}
	return o.Filter.Check()
}

// Replay implements Desk. A letter becomes an event with the next replay
// number, no failed attempts, and everything else as it was; one of the kind
// conflict gets an ID of its own. The event is made of what the letters say,
// and of nothing else: a run that was interrupted, and is run again, sends what
// it sends twice under the same keys, and the consumer's inbox drops the copy.
//
// A letter that did not meet its contract is held against today's, and stays
// where it still does not.
func (d *Local) Replay(ctx context.Context, opts ReplayOptions, progress func(Progress)) (Report, error) {
	if err := opts.Check(); err != nil {
		return Report{}, err
	}
	contracts, err := d.contracts(opts.Contracts)
	if err != nil {
		return Report{}, err
	}
	p, err := survey(ctx, d.Letters, opts.Filter.matcher())
	if err != nil && !Unreadable(err) {
		return Report{}, err
	}
	r := &replay{
		plan: p, opts: opts, contracts: contracts, pace: newPace(opts.Rate),
		progress: progress, judged: make(map[string]int), sweepFor: d.SweepFor,
	}
	if r.sweepFor == 0 {
		r.sweepFor = DefaultSweepFor
	}
	r.report.Matched = p.matched
	if err != nil {
		r.report.Warning = err.Error()
	}
	err = r.run(ctx, d.Letters)
	r.report.Left = max(0, r.report.Matched-r.report.Done-r.report.Kept)
	r.report.Limited = r.limited && r.report.Left > 0
	return r.report, err
}

// replay is a run under way.
type replay struct {
	*plan
	opts      ReplayOptions
	contracts *Contracts
	pace      *pace
	progress  func(Progress)
	sweepFor  time.Duration

	report  Report
	number  int            // of the sweep
	judged  map[string]int // letters that are kept, by the sweep that has found them
	pending *pending       // the letter before was sent, or was not: the next one tells
	failed  int            // letters in a row that could not be sent
	limited bool
}

// pending is a letter that a sweep was told to send.
type pending struct {
	id    string
	event *planned
	lower bool
}

// maxFailed is how many letters in a row may fail to be sent before the others
// are left alone.
const maxFailed = 10

// run sweeps until nothing is left to do. One sweep is not enough where it
// takes long, or where a letter must wait for another one of its event.
func (r *replay) run(ctx context.Context, letters hook.DeadLetters) error {
	for more := r.matched > 0; more; {
		r.number++
		before := r.report.Done + r.report.Kept
		end := time.Now().Add(r.sweepFor)
		more = false
		err := letters.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
			r.settled()
			v, another := r.judge(ctx, l, end)
			more = more || another
			if v.Do == hook.Keep || v.Do == hook.Stop || r.opts.DryRun {
				r.tell()
			}
			return v
		})
		switch {
		case ctx.Err() != nil:
			if err == nil {
				r.settled()
			}
			return ctx.Err()
		case err != nil && !Unreadable(err):
			if !r.unsent(err) {
				return err
			}
			more = true
		default:
			r.settled()
		}
		more = more && r.report.Done+r.report.Kept > before
	}
	return nil
}

// settled counts the letter before, which a sweep that goes on has sent.
func (r *replay) settled() {
	if r.pending == nil {
		return
	}
	e := r.pending.event
	e.all--
	if !r.pending.lower {
		e.top--
	}
	r.pending, r.failed = nil, 0
	r.report.Done++
	r.tell()
}

// unsent keeps the letter with which a sweep has ended, and reports whether the
// others should be tried: what is wrong may be the letter, such as that its
// queue is gone.
func (r *replay) unsent(err error) bool {
	if r.pending == nil {
		return false
	}
	p := r.pending
	r.pending = nil
	r.judged[p.id] = r.number
	p.event.blocked = p.id
	r.report.keep(p.id, "not sent: "+err.Error())
	r.tell()
	r.failed++
	return r.failed < maxFailed
}

func (r *replay) tell() {
	if r.progress != nil {
		r.progress(Progress{Done: r.report.Done, Kept: r.report.Kept, Matched: r.report.Matched})
	}
}

// judge returns what is done with a letter, and whether there must be another
// sweep.
func (r *replay) judge(ctx context.Context, l *hook.DeadLetter, end time.Time) (v hook.Verdict, another bool) {
	stop := hook.Verdict{Do: hook.Stop}
	if ctx.Err() != nil || r.report.Done+r.report.Kept >= r.matched {
		return stop, false // nothing that is meant comes behind the last one
	}
	ev := again(l)
	e := r.of(l, ev)
	if n, ok := r.judged[l.ID]; e == nil || ok && n != r.number {
		return hook.Verdict{}, false
	}
	if r.opts.Limit > 0 && r.report.Done >= r.opts.Limit {
		r.limited = true
		return stop, false
	}
	if time.Now().After(end) {
		return stop, true
	}
	isLower := l.Event.Replay < e.highest
	if !isLower && e.lower() > 0 && e.blocked == "" && !r.opts.DryRun {
		return hook.Verdict{}, true
	}
	if reason := r.reason(l, ev, e); reason != "" {
		r.judged[l.ID] = r.number
		r.report.keep(l.ID, reason)
		return hook.Verdict{}, false
	}
	if r.opts.DryRun {
		r.report.Done++
		return hook.Verdict{}, false
	}
	if r.pace.wait(ctx) != nil {
		return stop, false
	}
	ev.Replay = e.next()
	r.pending = &pending{id: l.ID, event: e, lower: isLower}
	return hook.Verdict{Do: hook.Send, Event: ev}, false
}

// reason says why a letter is kept, "" for one that may be sent.
func (r *replay) reason(l *hook.DeadLetter, ev *hook.Event, e *planned) string {
	if e.blocked != "" && e.blocked != l.ID {
		return fmt.Sprintf("the letter %s is of the same event, and is kept", e.blocked)
	}
	if err := r.contracts.admit(l, ev); err != nil {
		e.blocked = l.ID
		return err.Error()
	}
	return ""
}
