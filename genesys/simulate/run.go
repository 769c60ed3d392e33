package simulate

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// grace is how long a stopped run waits for answers.
const grace = 2 * time.Second

// run is one run of the simulator.
type run struct {
	opts   *Options
	sender *sender
	tally  *tally
	slots  chan struct{} // one for each request at a time
	wg     sync.WaitGroup
}

// Run sends events as o says and returns how they were answered. Once ctx ends
// it sends nothing more and waits 2 s at most for what is in flight; that is
// not an error. An error in the options wraps
// ErrOptions.
func Run(ctx context.Context, o Options) (*Report, error) {
	u, err := o.prepare()
	if err != nil {
		return nil, err
	}
	for o.Seed == 0 {
		// Half of the range, so that the seed can be read as a signed number too.
		o.Seed = rand.Uint64() >> 1
	}
	r := &run{
		opts:   &o,
		sender: newSender(u, &o),
		tally:  newTally(o.Deadline),
		slots:  make(chan struct{}, o.Concurrency),
	}
	defer r.sender.close()
	started := time.Now()
	stopProgress := startProgress(&o, r.tally, started)
	err = r.dispatch(ctx, started)
	stopProgress()
	if err != nil {
		return nil, err
	}
	return newReport(&o, u, r.tally, started, ctx.Err() != nil), nil
}

// dispatch sends the plan's events and returns once all requests have ended.
func (r *run) dispatch(ctx context.Context, started time.Time) error {
	// Requests outlive the moment of the stop, by the grace.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer func() { r.drain(ctx, cancel) }()

	sending := ctx
	if r.opts.Duration > 0 {
		var stop context.CancelFunc
		sending, stop = context.WithTimeout(ctx, r.opts.Duration)
		defer stop()
	}
	plan := newPlan(r.opts, r.opts.Seed)
	pace := pacer{start: started, rate: r.opts.Rate}
	for n := 0; r.opts.Count == 0 || n < r.opts.Count; n++ {
		if pace.wait(sending, n) != nil {
			return nil
		}
		s, err := plan.next(time.Now())
		if err != nil {
			return err
		}
		if !r.acquire(sending, s) {
			return nil
		}
		r.tally.event()
		r.wg.Go(func() { r.event(ctx, requests, s) })
	}
	return nil
}

// acquire takes a slot for each copy that will be in flight at once. Only one
// goroutine does so: two of them, each with one slot of two, would wait for
// each other.
func (r *run) acquire(ctx context.Context, s step) bool {
	for range s.atOnce() {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// drain waits until the requests have ended, and no longer than the grace after
// the run was stopped.
func (r *run) drain(ctx context.Context, cancel context.CancelFunc) {
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		cancel()
		<-done
	}
}
