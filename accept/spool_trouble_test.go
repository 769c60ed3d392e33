package accept

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// eventKey is the key of the plan's event in the context of its request. A
// forwarder's has none.
type eventKey struct{}

// worldPrimary is the world's primary queue, as one process reaches it.
type worldPrimary struct{ p *spoolProcess }

func (q *worldPrimary) Ready() error {
	w := q.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.healed && in(w.plan.Outages, time.Since(w.begin)) {
		return errors.New("down")
	}
	return nil
}

func (q *worldPrimary) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return hook.Receipt{}, q.put(ctx, ev, false)
}

func (q *worldPrimary) Park(ctx context.Context, ev *hook.Event, _ hook.Fault) (hook.Receipt, error) {
	return hook.Receipt{}, q.put(ctx, ev, true)
}

func (q *worldPrimary) put(ctx context.Context, ev *hook.Event, park bool) error {
	w := q.p.w
	var i int
	_, _ = fmt.Sscanf(ev.ID, "evt_%d", &i)
	e := &w.plan.Events[i]
	if park != e.Park || ev.Queue != e.Queue {
		w.violate("%s is another event than it was", ev.ID)
	}
	w.mu.Lock()
	var how publishing
	if n := w.tries[ev.ID]; n < len(e.Primary) && !w.healed {
		how = e.Primary[n]
	}
	w.tries[ev.ID]++
	now := time.Since(w.begin)
	down := !w.healed && in(w.plan.Outages, now)
	refuses := !w.healed && ev.Queue == "x" && in(w.plan.Refuses, now)
	dead := q.p.dead
	w.mu.Unlock()
	switch {
	case dead, down, how.End == unavailableAtOnce:
		return hook.ErrUnavailable
	case refuses:
		how.End = refused
	}
	forwarding := ctx.Value(eventKey{}) == nil
	taken := how.End == confirmed || how.End == doubtTaken || how.End == doubtLostTaken
	result, fate := make(chan error, 1), make(chan error, 1)
	go func() { // the broker's part goes on whatever becomes of the process
		time.Sleep(how.Delay)
		w.mu.Lock()
		if taken {
			w.there[ev.ID]++
		}
		w.mu.Unlock()
		switch how.End {
		case confirmed:
			result <- nil
			fate <- nil
		case refused:
			result <- hook.ErrRefused
			fate <- hook.ErrRefused
		case doubtTaken:
			time.Sleep(how.Late)
			fate <- nil
		case doubtRefused:
			time.Sleep(how.Late)
			fate <- hook.ErrRefused
		default:
			close(fate)
		}
	}()
	if w.planted == removeTooEarly && forwarding && how.End != refused {
		return nil
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.doubted[ev.ID] = w.doubted[ev.ID] || taken
	w.mu.Unlock()
	switch {
	case w.planted == removeInDoubt && forwarding:
		return nil
	case w.planted == takeBackAnyway && !forwarding:
		told := make(chan error, 1)
		told <- nil
		return &hook.InDoubt{Cause: ctx.Err(), Fate: told}
	case w.planted == forgetDoubt && !forwarding:
		return hook.ErrUnavailable
	}
	return &hook.InDoubt{Cause: ctx.Err(), Fate: fate}
}

// worldLocal is the world's local queue, as one process reaches it: a dead one
// has no effect any more.
type worldLocal struct{ p *spoolProcess }

var errDisk = errors.New("the disk is bad")

// fails returns why the local queue cannot be used now.
func (q *worldLocal) fails() error {
	w := q.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if q.p.dead || !w.healed && in(w.plan.BadDisk, time.Since(w.begin)) {
		return fmt.Errorf("%w: %w", hook.ErrUnavailable, errDisk)
	}
	return nil
}

func (q *worldLocal) Ready() error { return q.fails() }

func (q *worldLocal) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return q.keep(ctx, func(ctx context.Context) (hook.Receipt, error) { return q.p.w.shelf.Publish(ctx, ev) })
}

func (q *worldLocal) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	return q.keep(ctx, func(ctx context.Context) (hook.Receipt, error) { return q.p.w.shelf.Park(ctx, ev, f) })
}

func (q *worldLocal) keep(ctx context.Context, fn func(context.Context) (hook.Receipt, error)) (hook.Receipt, error) {
	tr := ctx.Value(eventKey{}).(*spoolEvent).Local
	if err := ctx.Err(); err != nil {
		return hook.Receipt{}, err
	}
	if q.p.w.planted == answerBeforeLocal {
		return hook.Receipt{Local: true}, nil
	}
	// Once it was begun it goes on.
	type outcome struct {
		receipt hook.Receipt
		err     error
	}
	got := make(chan outcome, 1)
	go func() {
		time.Sleep(tr.Delay)
		if err := q.fails(); err != nil || tr.Fail {
			got <- outcome{err: errors.Join(hook.ErrUnavailable, err)}
			return
		}
		receipt, err := fn(context.Background())
		if tr.Lose {
			err = &hook.InDoubt{Cause: errLost}
		}
		got <- outcome{receipt, err}
	}()
	select {
	case o := <-got:
		return o.receipt, o.err
	case <-ctx.Done():
		return hook.Receipt{}, &hook.InDoubt{Cause: ctx.Err()}
	}
}

func (q *worldLocal) Next(ctx context.Context, s hook.QueueState, after uint64, limit int) ([]hook.Entry, error) {
	if err := q.fails(); err != nil {
		return nil, err
	}
	return q.p.w.shelf.Next(ctx, s, after, limit)
}

func (q *worldLocal) Remove(ctx context.Context, s hook.QueueState, seqs ...uint64) error {
	if err := q.fails(); err != nil {
		return err
	}
	return q.p.w.shelf.Remove(ctx, s, seqs...)
}

func (q *worldLocal) Counts(ctx context.Context) (hook.Counts, error) {
	return q.p.w.shelf.Counts(ctx)
}
