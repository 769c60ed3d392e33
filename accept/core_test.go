package accept

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// rig is a core and a gate over a fake store and queue, in a bubble of virtual
// time.
type rig struct {
	t     *testing.T
	store *fakeStore
	queue *fakeQueue
	core  *Core
	gate  *Gate
}

func inBubble(t *testing.T, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, store: newFakeStore(), queue: newFakeQueue()}
		var err error
		if r.core, err = New(Options{Store: r.store}); err != nil {
			t.Fatal(err)
		}
		if r.gate, err = NewGate(GateOptions{Core: r.core, Store: r.store, Queue: r.queue}); err != nil {
			t.Fatal(err)
		}
		fn(r)
		if err := r.core.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		// The bubble fails the test if a goroutine is left.
	})
}

func newClaim(id string) hook.Claim {
	return hook.Claim{
		Key: hook.EventKey("h", id), Token: hook.NewToken(), Fingerprint: body(1),
		Lease: 2 * time.Second, TTL: 48 * time.Hour,
	}
}

func body(n byte) hook.Fingerprint { return hook.Fingerprint{n} }

func newEvent(id string, content byte) *hook.Event {
	return &hook.Event{ID: id, Hook: "h", Fingerprint: body(content), ReceivedAt: time.Now()}
}

func succeed(context.Context) error { return nil }

func (r *rig) do(claim hook.Claim, work func(context.Context) error, opts ...Option) (hook.State, error) {
	state, _, err := r.core.Do(context.Background(), claim, work, opts...)
	return state, err
}

func wantCode(t *testing.T, err error, code hook.Code) {
	t.Helper()
	if err == nil || hook.CodeOf(err) != code {
		t.Errorf("got %v, want the code %s", err, code)
	}
}

func TestSuccessIsCommittedAndThenADuplicate(t *testing.T) {
	inBubble(t, func(r *rig) {
		if state, err := r.do(newClaim("a"), succeed); state != hook.Ours || err != nil {
			t.Fatal(state, err)
		}
		synctest.Wait()
		state, err := r.do(newClaim("a"), func(context.Context) error { t.Error("the work ran again"); return nil })
		if state != hook.Committed || err != nil {
			t.Error(state, err)
		}
	})
}

func TestADefiniteFailureReleases(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, err := r.do(newClaim("a"), func(context.Context) error { return hook.ErrRefused })
		if !errors.Is(err, hook.ErrRefused) {
			t.Error(err)
		}
		if state, err := r.do(newClaim("a"), succeed); state != hook.Ours || err != nil {
			t.Error(state, err)
		}
	})
}

func TestDoubtKeepsTheClaimUntilItsFateIsKnown(t *testing.T) {
	for _, tc := range []struct {
		name string
		fate func(chan error)
		want string // what a second attempt finds 5 s later
	}{
		{"a late ack commits", func(c chan error) { c <- nil }, "committed"},
		{"a late nack releases", func(c chan error) { c <- hook.ErrRefused }, "ours"},
		{"a lost connection leaves the lease", func(c chan error) { close(c) }, "ours"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				fate := make(chan error, 1)
				_, err := r.do(newClaim("a"), func(context.Context) error {
					return &hook.InDoubt{Cause: context.DeadlineExceeded, Fate: fate}
				})
				wantCode(t, err, hook.CodeOutcomeUnknown)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error("the cause is lost")
				}
				if e, _ := errors.AsType[*hook.Error](err); e.RetryAfter != 3*time.Second {
					t.Errorf("RetryAfter is %s", e.RetryAfter)
				}
				time.Sleep(3 * time.Second) // longer than the lease: it is renewed
				_, err = r.do(newClaim("a"), succeed)
				wantCode(t, err, hook.CodeInFlight)
				tc.fate(fate)
				time.Sleep(3 * time.Second)
				state, err := r.do(newClaim("a"), succeed)
				if err != nil || state.String() != tc.want {
					t.Errorf("afterwards: %s %v, want %s", state, err, tc.want)
				}
			})
		})
	}
}

func TestDoubtWithoutFateRunsOut(t *testing.T) {
	inBubble(t, func(r *rig) {
		_, err := r.do(newClaim("a"), func(context.Context) error { return &hook.InDoubt{Cause: errors.New("reset")} })
		wantCode(t, err, hook.CodeOutcomeUnknown)
		_, err = r.do(newClaim("a"), succeed)
		wantCode(t, err, hook.CodeInFlight)
		time.Sleep(RetryAfter(2 * time.Second))
		if state, err := r.do(newClaim("a"), succeed); state != hook.Ours || err != nil {
			t.Error(state, err)
		}
	})
}

func TestDoubtIsRenewedTenSecondsAtMost(t *testing.T) {
	inBubble(t, func(r *rig) {
		fate := make(chan error)
		_, _ = r.do(newClaim("a"), func(context.Context) error { return &hook.InDoubt{Fate: fate} })
		time.Sleep(9 * time.Second)
		_, err := r.do(newClaim("a"), succeed)
		wantCode(t, err, hook.CodeInFlight)
		time.Sleep(4 * time.Second)
		if state, err := r.do(newClaim("a"), succeed); state != hook.Ours || err != nil {
			t.Error(state, err)
		}
	})
}

func TestAPendingClaimIsAwaited(t *testing.T) {
	for _, tc := range []struct {
		name string
		work time.Duration
		code hook.Code // "": the outcome is seen
	}{
		{"a short one to its end", 60 * time.Millisecond, ""},
		{"a long one 150 ms", 400 * time.Millisecond, hook.CodeInFlight},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = r.do(newClaim("a"), func(context.Context) error { time.Sleep(tc.work); return nil })
				}()
				synctest.Wait()
				begin := time.Now()
				state, err := r.do(newClaim("a"), succeed)
				if tc.code != "" {
					wantCode(t, err, tc.code)
				} else if err != nil || state != hook.Committed {
					t.Error(state, err)
				}
				if waited := time.Since(begin); waited > 160*time.Millisecond {
					t.Errorf("waited %s", waited)
				}
				<-done
			})
		})
	}
}

func TestALongWorkIsRenewed(t *testing.T) {
	inBubble(t, func(r *rig) {
		done := make(chan error)
		go func() {
			_, err := r.do(newClaim("a"), func(context.Context) error { time.Sleep(30 * time.Second); return nil }, Renewing())
			done <- err
		}()
		for range 9 {
			time.Sleep(3 * time.Second)
			_, err := r.do(newClaim("a"), func(context.Context) error { t.Error("ran beside"); return nil })
			wantCode(t, err, hook.CodeInFlight)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAPanicLeavesTheClaimAndGoesOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_, _ = r.do(newClaim("a"), func(context.Context) error { panic("x") }, Renewing())
		}()
		_, err := r.do(newClaim("a"), succeed)
		wantCode(t, err, hook.CodeInFlight)
		time.Sleep(3 * time.Second)
		if state, _ := r.do(newClaim("a"), succeed); state != hook.Ours {
			t.Error(state)
		}
	})
}

func TestAnOldClaimIsNotWorkedOn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.store.slow = 1100 * time.Millisecond // more than half the lease
		_, err := r.do(newClaim("a"), func(context.Context) error { t.Error("the work ran"); return nil })
		wantCode(t, err, hook.CodeStoreUnavailable)
		r.store.slow = 0
		if state, err := r.do(newClaim("a"), succeed); state != hook.Ours || err != nil {
			t.Error(state, err)
		}
	})
}

func TestAStoreThatCannotBeAskedIsSaid(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.store.setError(errors.New("refused"))
		_, err := r.do(newClaim("a"), succeed)
		wantCode(t, err, hook.CodeStoreUnavailable)
		if _, err := r.gate.Accept(context.Background(), newEvent("a", 1), Policy{}); hook.CodeOf(err) != hook.CodeStoreUnavailable {
			t.Error(err)
		}
		res, err := r.gate.Accept(context.Background(), newEvent("a", 1), Policy{OnStoreFailure: Publish})
		if err != nil || res.Outcome != hook.OutcomeAccepted {
			t.Error(res, err)
		}
		if ev := r.queue.published[0]; ev.Header[hook.HeaderUnverified] != "true" {
			t.Errorf("the event is not marked: %v", ev.Header)
		}
		park := func(p Policy) (Result, error) {
			return r.gate.Park(context.Background(), newEvent("b", 1), hook.Fault{Kind: hook.KindInvalid}, p)
		}
		_, err = park(Policy{})
		wantCode(t, err, hook.CodeStoreUnavailable)
		if res, err := park(Policy{OnStoreFailure: Publish}); err != nil || res.Outcome != hook.OutcomeParked {
			t.Error("what is for a person is lost:", res, err)
		} else if ev := r.queue.parked[0]; ev.Header[hook.HeaderUnverified] != "true" {
			t.Errorf("the letter is not marked: %v", ev.Header)
		}
		r.store.setError(nil)
		time.Sleep(time.Second) // the commit is tried again
		if res, err := r.gate.Accept(context.Background(), newEvent("a", 1), Policy{}); res.Outcome != hook.OutcomeDuplicate {
			t.Error(res, err)
		}
		if res, err := park(Policy{}); res.Outcome != hook.OutcomeDuplicate {
			t.Error(res, err)
		}
	})
}

func TestCloseCommitsWhatIsQueuedAndTakesNothingNew(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.store.slow = 20 * time.Millisecond
		for i := range 300 {
			if _, err := r.do(newClaim(fmt.Sprint(i)), succeed); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.core.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := r.store.committed(); n != 300 {
			t.Errorf("%d committed", n)
		}
		_, err := r.do(newClaim("late"), succeed)
		wantCode(t, err, hook.CodeDraining)
		_, err = r.gate.Accept(context.Background(), newEvent("late", 1), Policy{})
		wantCode(t, err, hook.CodeDraining)
	})
}

func TestACommitThatFailsIsTriedAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.store.failCommits = 2
		if _, err := r.do(newClaim("a"), succeed); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if state, err := r.do(newClaim("a"), succeed); state != hook.Committed {
			t.Error(state, err)
		}
	})
}

func TestCommitsThatWaitForAStoreAreBounded(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.store.setError(errors.New("refused"))
		claims := make([]hook.Claim, pendingMost+1000)
		for i := range claims {
			claims[i] = newClaim(fmt.Sprint(i))
			r.core.commits.add(claims[i])
		}
		r.core.commits.mu.Lock()
		if n := len(r.core.commits.pending); n > pendingMost {
			t.Errorf("%d commits wait", n)
		}
		r.core.commits.mu.Unlock()
		r.store.setError(nil)
		if err := r.core.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, want := range map[int]bool{500: false, len(claims) - 1: true} { // the first may be in a batch already
			if got := r.store.keys[claims[i].Key].committed; got != want {
				t.Errorf("claim %d: committed is %t", i, got)
			}
		}
	})
}

func TestAGateParksConflictsUnderAKeyOfTheirOwn(t *testing.T) {
	inBubble(t, func(r *rig) {
		ctx := context.Background()
		take := func(ev *hook.Event, p Policy, want hook.Outcome) {
			t.Helper()
			if res, err := r.gate.Accept(ctx, ev, p); err != nil || res.Outcome != want {
				t.Errorf("%s: %v %v, want %s", ev.ID, res, err, want)
			}
			synctest.Wait()
		}
		park := Policy{OnConflict: Park}
		take(newEvent("a", 1), park, hook.OutcomeAccepted)
		take(newEvent("a", 1), park, hook.OutcomeDuplicate)
		take(newEvent("a", 2), park, hook.OutcomeParked)
		take(newEvent("a", 2), park, hook.OutcomeDuplicate)
		_, err := r.gate.Accept(ctx, newEvent("a", 3), Policy{OnConflict: Reject})
		wantCode(t, err, hook.CodeConflict)

		res, err := r.gate.Park(ctx, newEvent("b", 9), hook.Fault{Kind: hook.KindInvalid}, park)
		if err != nil || res.Outcome != hook.OutcomeParked {
			t.Error(res, err)
		}
		take(newEvent("b", 1), park, hook.OutcomeAccepted) // the corrected resend
		if res, err := r.gate.Park(ctx, newEvent("", 7), hook.Fault{}, park); err != nil || res.Outcome != hook.OutcomeParked {
			t.Error(res, err)
		}
		if id := r.queue.parked[2].ID; id != hook.DigestID(body(7)) {
			t.Errorf("a letter without an ID has %q", id)
		}
	})
}

// With an event ID in a header, two events may have the same body.
func TestTheSameBodyUnderAnotherIDIsKeptToo(t *testing.T) {
	inBubble(t, func(r *rig) {
		ctx, park := context.Background(), Policy{OnConflict: Park}
		keep := func(id string, want hook.Outcome) {
			t.Helper()
			res, err := r.gate.Park(ctx, newEvent(id, 1), hook.Fault{Kind: hook.KindInvalid}, park)
			if err != nil || res.Outcome != want {
				t.Errorf("%q: %v %v, want %s", id, res.Outcome, err, want)
			}
			synctest.Wait()
		}
		for _, id := range []string{"a", "b", ""} {
			keep(id, hook.OutcomeParked)
			keep(id, hook.OutcomeDuplicate)
		}
		for _, id := range []string{"c", "d"} { // and conflicts are
			for content, want := range []hook.Outcome{hook.OutcomeAccepted, hook.OutcomeParked} {
				res, err := r.gate.Accept(ctx, newEvent(id, byte(content)), park)
				if err != nil || res.Outcome != want {
					t.Errorf("%q: %v %v, want %s", id, res.Outcome, err, want)
				}
				synctest.Wait()
			}
		}
		if n := len(r.queue.parked); n != 5 {
			t.Errorf("%d letters, want 5", n)
		}
	})
}

func TestAGateGivesTheQueuesErrorsTheirCodes(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code hook.Code
	}{
		"unavailable": {hook.ErrUnavailable, hook.CodeQueueUnavailable},
		"refused":     {fmt.Errorf("nack: %w", hook.ErrRefused), hook.CodeQueueUnavailable},
		"unknown":     {errors.New("?"), hook.CodeQueueUnavailable},
		"too late":    {context.DeadlineExceeded, hook.CodeDeadlineExceeded},
		"in doubt":    {&hook.InDoubt{Cause: errors.New("reset")}, hook.CodeOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.queue.next = tc.err
				_, err := r.gate.Accept(context.Background(), newEvent("a", 1), Policy{})
				wantCode(t, err, tc.code)
				r.queue.next = tc.err
				_, err = r.gate.Publish(context.Background(), newEvent("b", 1))
				wantCode(t, err, tc.code)
			})
		})
	}
}
