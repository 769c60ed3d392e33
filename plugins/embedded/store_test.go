package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

// step is one call on the key "k" and what it answers.
type step struct {
	do    string // claim, accept, renew, release, commit, wait
	token byte
	fp    byte
	wait  time.Duration
	want  string // state and fingerprint, "held", "lost", or nothing
}

func (s step) run(d *DB, c *clock) string {
	cl, ctx := claimOn("k", s.token, s.fp), context.Background()
	switch s.do {
	case "wait":
		c.advance(s.wait)
		return ""
	case "claim":
		st, fp, err := d.Claim(ctx, cl)
		return fmt.Sprint(st, fp[0], err)
	case "accept":
		st, fp, err := d.Accept(ctx, cl, event("e"), nil)
		return fmt.Sprint(st, fp[0], err)
	case "renew":
		held, err := d.Renew(ctx, cl)
		return fmt.Sprint(held, err)
	case "release":
		return fmt.Sprint(d.Release(ctx, cl))
	case "commit":
		return fmt.Sprint(d.Commit(ctx, cl))
	}
	panic(s.do)
}

func TestKeys(t *testing.T) {
	const (
		ok   = "<nil>"
		held = "true <nil>"
		lost = "false <nil>"
	)
	ours := func(fp int) string { return fmt.Sprint(hook.Ours, fp, nil) }
	pending := func(fp int) string { return fmt.Sprint(hook.Pending, fp, nil) }
	committed := func(fp int) string { return fmt.Sprint(hook.Committed, fp, nil) }
	wait := func(d time.Duration) step { return step{do: "wait", wait: d} }

	for name, tc := range map[string]struct {
		steps []step
		ready int
		keys  int
	}{
		"a free key is claimed, and pending for others": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "claim", token: 2, fp: 2, want: pending(1)}}, 0, 1,
		},
		"the same token claims again after a lost answer": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "claim", token: 1, fp: 1, want: ours(1)}}, 0, 1,
		},
		"a lease that has run out frees the key": {
			[]step{
				{do: "claim", token: 1, fp: 1, want: ours(1)},
				wait(2*time.Second - time.Millisecond),
				{do: "claim", token: 2, fp: 2, want: pending(1)},
				wait(time.Millisecond),
				{do: "claim", token: 2, fp: 2, want: ours(2)},
				{do: "claim", token: 1, fp: 1, want: pending(2)},
			}, 0, 1,
		},
		"a renewed lease begins anew": {
			[]step{
				{do: "claim", token: 1, fp: 1, want: ours(1)},
				wait(time.Second),
				{do: "renew", token: 1, fp: 1, want: held},
				wait(1500 * time.Millisecond),
				{do: "claim", token: 2, fp: 2, want: pending(1)},
			}, 0, 1,
		},
		"another's claim is not renewed":          {[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "renew", token: 2, want: lost}}, 0, 1},
		"a claim that ran out is not renewed":     {[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, wait(2 * time.Second), {do: "renew", token: 1, want: lost}}, 0, 1},
		"a committed key is not renewed":          {[]step{{do: "commit", token: 1, fp: 1, want: ok}, {do: "renew", token: 1, want: lost}}, 0, 1},
		"a key that is not there is not renewed":  {[]step{{do: "renew", token: 1, want: lost}}, 0, 0},
		"a key that is not there can be released": {[]step{{do: "release", token: 1, want: ok}}, 0, 0},
		"a released key is free": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "release", token: 1, want: ok}, {do: "claim", token: 2, fp: 2, want: ours(2)}}, 0, 1,
		},
		"another's claim is not released": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "release", token: 2, want: ok}, {do: "claim", token: 2, fp: 2, want: pending(1)}}, 0, 1,
		},
		"a committed key is not released": {
			[]step{{do: "commit", token: 1, fp: 1, want: ok}, {do: "release", token: 1, want: ok}, {do: "claim", token: 1, fp: 2, want: committed(1)}}, 0, 1,
		},
		"commit is unconditional and may be repeated": {
			[]step{
				{do: "claim", token: 1, fp: 1, want: ours(1)},
				{do: "commit", token: 2, fp: 2, want: ok},
				{do: "commit", token: 2, fp: 2, want: ok},
				{do: "claim", token: 1, fp: 1, want: committed(2)},
			}, 0, 1,
		},
		"a committed key expires": {
			[]step{
				{do: "commit", token: 1, fp: 1, want: ok},
				wait(48*time.Hour - time.Millisecond),
				{do: "claim", token: 2, fp: 2, want: committed(1)},
				wait(time.Millisecond),
				{do: "claim", token: 2, fp: 2, want: ours(2)},
			}, 0, 1,
		},
		"an event is accepted once": {
			[]step{{do: "accept", token: 1, fp: 1, want: ours(1)}, {do: "accept", token: 2, fp: 1, want: committed(1)}}, 1, 1,
		},
		"the same token does not accept twice": {
			[]step{{do: "accept", token: 1, fp: 1, want: ours(1)}, {do: "accept", token: 1, fp: 1, want: committed(1)}}, 1, 1,
		},
		"another body under the ID is told by the fingerprint": {
			[]step{{do: "accept", token: 1, fp: 1, want: ours(1)}, {do: "accept", token: 2, fp: 2, want: committed(1)}}, 1, 1,
		},
		"an accepted event is committed for claims": {
			[]step{{do: "accept", token: 1, fp: 1, want: ours(1)}, {do: "claim", token: 2, fp: 2, want: committed(1)}}, 1, 1,
		},
		"another's open claim is pending for accept": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "accept", token: 2, fp: 2, want: pending(1)}}, 0, 1,
		},
		"one's own open claim is accepted": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, {do: "accept", token: 1, fp: 1, want: ours(1)}, {do: "claim", token: 2, fp: 2, want: committed(1)}}, 1, 1,
		},
		"another's claim that ran out is free for accept": {
			[]step{{do: "claim", token: 1, fp: 1, want: ours(1)}, wait(2 * time.Second), {do: "accept", token: 2, fp: 2, want: ours(2)}}, 1, 1,
		},
		"after its time to live an event is new": {
			[]step{{do: "accept", token: 1, fp: 1, want: ours(1)}, wait(48 * time.Hour), {do: "accept", token: 2, fp: 2, want: ours(2)}}, 2, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			d := unstarted(t, Options{Now: c.now})
			d.tick = time.Hour // expiry counts when it is due, not when it was swept
			begin(t, d)
			for i, s := range tc.steps {
				if got := s.run(d, c); got != s.want {
					t.Fatalf("step %d, %s by %d: %q, want %q", i, s.do, s.token, got, s.want)
				}
			}
			s := d.Stats()
			if s.Ready != tc.ready || s.Keys > tc.keys {
				t.Errorf("%d ready and %d keys, want %d and %d", s.Ready, s.Keys, tc.ready, tc.keys)
			}
			intact(t, d)
		})
	}
}

func TestAClaimThatIsNotValidIsAnError(t *testing.T) {
	d, ctx := started(t, Options{}), context.Background()
	for name, call := range map[string]func(c hook.Claim) error{
		"claim":   func(c hook.Claim) error { c.Lease = 0; _, _, err := d.Claim(ctx, c); return err },
		"renew":   func(c hook.Claim) error { c.Lease = -1; _, err := d.Renew(ctx, c); return err },
		"commit":  func(c hook.Claim) error { c.TTL = 0; return d.Commit(ctx, claimOn("x", 1, 1), c) },
		"accept":  func(c hook.Claim) error { c.TTL = 0; _, _, err := d.Accept(ctx, c, event("e"), nil); return err },
		"release": func(c hook.Claim) error { c.Key = ""; return d.Release(ctx, c) },
	} {
		if call(claimOn("k", 1, 1)) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s := d.Stats(); s.Keys != 0 || s.Ready != 0 {
		t.Errorf("something was written: %+v", s)
	}
}

func TestCommitOfManyKeysIsOneTransaction(t *testing.T) {
	d := started(t, Options{})
	if err := d.Commit(t.Context()); err != nil {
		t.Errorf("of none: %v", err)
	}
	if err := d.Commit(t.Context(), claimOn("a", 1, 1), claimOn("b", 1, 2), claimOn("a", 1, 3)); err != nil {
		t.Fatal(err)
	}
	if s := d.Stats(); s.Keys != 2 || s.Batches != 1 {
		t.Errorf("%+v", s)
	}
	for key, want := range map[string]byte{"a": 3, "b": 2} {
		if s, fp, err := d.Claim(t.Context(), claimOn(key, 9, 9)); s != hook.Committed || fp[0] != want || err != nil {
			t.Errorf("%s: %v %d %v", key, s, fp[0], err)
		}
	}
}

func TestOfManyWhoAcceptOneKeyOneSucceeds(t *testing.T) {
	d := started(t, Options{})
	for round := range 20 {
		var ours, duplicates atomic.Int32
		var wg sync.WaitGroup
		id := fmt.Sprint("e", round)
		for n := range 64 {
			wg.Go(func() {
				switch s, fp, err := d.Accept(context.Background(), claimOn(id, byte(n+1), 7), event(id), nil); {
				case err != nil:
					t.Error(err)
				case s == hook.Ours:
					ours.Add(1)
				case s == hook.Committed && fp[0] == 7:
					duplicates.Add(1)
				}
			})
		}
		wg.Wait()
		if ours.Load() != 1 || duplicates.Load() != 63 {
			t.Fatalf("%d ours and %d duplicates", ours.Load(), duplicates.Load())
		}
	}
	if s := d.Stats(); s.Ready != 20 || s.Keys != 20 {
		t.Errorf("%+v", s)
	}
}

func TestAnEventIsParkedAsADeadLetter(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	fault := hook.Fault{
		Kind: hook.KindInvalid, Message: "not met", Violations: []hook.Violation{{Pointer: "/a", Code: "missing"}},
		Time: c.now().UTC(), First: c.now().UTC(), Err: errors.New("not kept"),
	}
	cl := claimOn(hook.ParkKey("h", "", hook.Fingerprint{1}), 1, 1)
	for i, want := range []hook.State{hook.Ours, hook.Committed} {
		if s, _, err := d.Accept(t.Context(), cl, event("a"), &fault); s != want || err != nil {
			t.Errorf("time %d: %v %v", i, s, err)
		}
	}
	if r, err := d.Park(t.Context(), event("b"), fault); err != nil || !r.Local {
		t.Errorf("park: %+v %v", r, err)
	}
	if r, err := d.Publish(t.Context(), event("c")); err != nil || !r.Local {
		t.Errorf("publish: %+v %v", r, err)
	}
	want := fault
	want.Err = nil
	got, err := d.Peek(t.Context(), hook.StateDead, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]hook.Entry{
		{Seq: 1, At: c.now().UTC(), Event: event("a"), Fault: &want},
		{Seq: 2, At: c.now().UTC(), Event: event("b"), Fault: &want},
	}, got, compareAddr); diff != "" {
		t.Error(diff)
	}
	counts, err := d.Counts(t.Context())
	if want := (hook.Counts{Ready: 1, Dead: 2, Tells: true}); err != nil || counts != want {
		t.Errorf("%+v %v", counts, err)
	}
	if s := d.Stats(); s.Keys != 1 {
		t.Errorf("parking and publishing take no keys of their own: %+v", s)
	}
}
