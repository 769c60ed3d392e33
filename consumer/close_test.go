package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestCloseDoesNotWaitForTheClaimOfAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		if _, _, err := r.inbox.Claim(context.Background(), hook.Claim{Key: inboxKey(event("a")), Token: hook.NewToken(), Lease: time.Hour}); err != nil {
			t.Fatal(err)
		}
		r.queue.put(event("a"))
		r.queue.items[0].redeliveries = 1
		r.start(0)
		time.Sleep(time.Second)
		begin := time.Now()
		r.want("close", r.c.Close(context.Background()), nil)
		r.want("took", time.Since(begin), time.Duration(0))
		r.want("handed out", r.queue.count("held"), 0)
	})
}

func TestCloseLetsWorkEnd(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { time.Sleep(3 * time.Second); return nil })
		r.queue.put(events(0, 20)...)
		r.start(carefulFor)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := r.c.Close(ctx); err != nil {
			t.Fatal(err)
		}
		r.want("run", <-r.ran, nil)
		r.want("done", r.queue.count("done"), 8)
		r.want("calls", len(r.handled()), 8)
		r.want("handed out", r.queue.count("held"), 0)
	})
}

func TestCloseHandsBackWhatTakesTooLong(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(ctx context.Context, _ *hook.Event) error { <-ctx.Done(); return ctx.Err() })
		r.queue.put(events(0, 20)...)
		r.start(carefulFor)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.c.Close(ctx); err != nil {
			t.Fatal(err)
		}
		r.want("took", time.Since(begin), 4*time.Second)
		r.want("run", <-r.ran, nil)
		r.want("ready", r.queue.count("ready"), 20)
		for _, it := range r.queue.items {
			r.want("attempts", it.ev.Attempt, 0)
		}
		for i, ev := range events(0, 20) {
			if _, found := r.inbox.get(inboxKey(ev)); found {
				t.Errorf("the claim on event %d is kept", i)
			}
		}
	})
}

func TestWhatDoesNotListenIsLeftBehind(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.on(func(context.Context, *hook.Event) error { time.Sleep(time.Minute); return nil })
		r.queue.put(event("a"))
		r.start(0)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r.want("close", r.c.Close(ctx), context.DeadlineExceeded)
		r.want("run", <-r.ran, ErrLeft)
		time.Sleep(time.Minute)
	})
}

func TestRunEndsWithItsContextAfterSomeGrace(t *testing.T) {
	for name, tc := range map[string]struct {
		work time.Duration
		took time.Duration
		done int
	}{
		"what is done soon is done":            {2 * time.Second, 2 * time.Second, 1},
		"what is not done soon is handed back": {time.Minute, 5 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.on(func(ctx context.Context, _ *hook.Event) error {
					select {
					case <-time.After(tc.work):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				r.queue.put(event("a"))
				var err error
				if r.c, err = New(r.opts); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				r.want("run", r.c.Run(ctx), nil)
				r.want("took", time.Since(begin), max(time.Second+tc.took-time.Second, tc.took)+map[bool]time.Duration{true: time.Second}[tc.done == 0])
				r.want("done", r.queue.count("done"), tc.done)
				r.want("ready", r.queue.count("ready"), 1-tc.done)
			})
		})
	}
}

func TestNobodyWhoDoesNotAnswerMakesTheEndLonger(t *testing.T) {
	const total = 8 * time.Second // as the documentation says
	never := trouble{Delay: 24 * time.Hour}
	untilInterrupted := func(ctx context.Context, _ *hook.Event) error { <-ctx.Done(); return ctx.Err() }
	for _, tc := range []struct {
		name   string
		handle func(context.Context, *hook.Event) error
		queue  bool // does not answer
		inbox  bool // does not
		err    error
	}{
		{"a queue that is told of interrupted events", untilInterrupted, true, false, nil},
		{"a queue that is told of failed events", func(context.Context, *hook.Event) error { return err503 }, true, false, nil},
		{"a queue that is told of processed events", nil, true, false, nil},
		{"an inbox that is told of interrupted events", untilInterrupted, false, true, nil},
		{"an inbox that is told of processed events", nil, false, true, nil},
		{"neither of the two", untilInterrupted, true, true, nil},
		{"nor a handler", func(context.Context, *hook.Event) error { time.Sleep(time.Hour); return nil }, true, true, ErrLeft},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.on(tc.handle)
				r.queue.put(events(0, 20)...)
				for _, it := range r.queue.items {
					it.redeliveries = 1 // it is handed back through a tier
				}
				if tc.queue {
					r.queue.trouble = func(*delivery, string, time.Duration) trouble { return never }
				}
				if tc.inbox {
					r.inbox.trouble = func(op, _ string) trouble {
						if op == "claim" {
							return trouble{}
						}
						return never
					}
				}
				var err error
				if r.c, err = New(r.opts); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				if err := r.c.Run(ctx); !errors.Is(err, tc.err) {
					t.Errorf("run: %v", err)
				}
				if took := time.Since(begin) - time.Second; took > total {
					t.Errorf("the end took %s", took)
				}
				r.src.crash() // its owner closes it
				r.want("events that are lost", 20-r.queue.count("ready")-r.queue.count("tier")-r.queue.count("done"), 0)
				if tc.queue {
					r.want("ready", r.queue.count("ready"), 20)
				}
				time.Sleep(time.Hour) // until the handler is back
			})
		})
	}
}

func TestRunEndsWithTheSource(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.src.fatal = errors.New("access refused")
		r.start(0)
		if err := <-r.ran; !errors.Is(err, r.src.fatal) {
			t.Error(err)
		}
		if err := r.c.Run(context.Background()); !errors.Is(err, ErrRan) {
			t.Error(err)
		}
	})
}

func TestCloseWithoutRunIsFine(t *testing.T) {
	inBubble(t, func(r *rig) {
		var err error
		if r.c, err = New(r.opts); err != nil {
			t.Fatal(err)
		}
		r.want("close", r.c.Close(context.Background()), nil)
		r.want("run", r.c.Run(context.Background()), nil)
	})
}
