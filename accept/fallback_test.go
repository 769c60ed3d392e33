package accept

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestTheRequestsOwnTimeIsNotHeldAgainstTheStore(t *testing.T) {
	inPair(t, func(p *pair) {
		p.primary.how.Store(hangs)
		for i := range 50 {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			if _, _, err := p.Claim(ctx, newClaim(fmt.Sprint(i))); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
			gone, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Millisecond, cancel)
			if _, _, err := p.Claim(gone, newClaim(fmt.Sprint(i))); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if st := p.Stats(); st.OnFallback || st.Primary.Failures != 0 || st.Detours != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAnErrorAboutOneKeyIsNotHeldAgainstTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newSick(), newSick(), func(o *FallbackOptions) {
			o.Ignore = func(err error) bool { return errors.Is(err, errSick) }
		})
		defer p.end()
		p.primary.how.Store(refuses)
		for i := range 50 {
			p.is(fmt.Sprint(i), hook.Ours) // by the secondary
		}
		if p.Stats().OnFallback {
			t.Error("it was left")
		}
	})
}

func TestManyFailuresAmongSuccessesOpenTheBreakerToo(t *testing.T) {
	inPair(t, func(p *pair) {
		for i := range 60 {
			how := well
			if i%3 != 0 { // two of three, never five in a row
				how = refuses
			}
			p.primary.how.Store(how)
			p.is(fmt.Sprint(i), hook.Ours)
			if p.Stats().OnFallback {
				if i+1 < enough {
					t.Errorf("after %d", i+1)
				}
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("it did not open")
	})
}

func TestBothDownIsAnErrorWithoutAWait(t *testing.T) {
	inPair(t, func(p *pair) {
		p.take("before")
		time.Sleep(time.Second)
		p.primary.how.Store(hangs)
		p.secondary.how.Store(hangs)
		for i := range 2 * inARow {
			begin := time.Now()
			_, _, err := p.Claim(context.Background(), newClaim(fmt.Sprint(i)))
			if err == nil || !strings.Contains(err.Error(), "primary") || !strings.Contains(err.Error(), "fallback") {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > 200*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		}
		begin := time.Now()
		for range 50 {
			if _, _, err := p.Claim(context.Background(), newClaim("x")); err == nil {
				t.Fatal("no error")
			}
			if err := p.Commit(context.Background(), newClaim("done")); err == nil {
				t.Fatal("no error")
			}
		}
		p.is("done", hook.Committed)                                // nobody may do it again
		if took := time.Since(begin); took > 200*time.Millisecond { // the breaker may probe once
			t.Errorf("they took %v", took)
		}
		if p.Ready() == nil || p.Degraded() != "" {
			t.Error("it is ready")
		}
		p.secondary.how.Store(well)
		time.Sleep(2 * time.Second)
		p.is("one", hook.Ours)
		p.primary.how.Store(well)
		time.Sleep(2 * time.Second)
		if p.Stats().OnFallback {
			t.Error("it did not come back")
		}
		p.is("before", hook.Committed)
		p.is("two", hook.Ours)
		if !p.primary.has("done") || !p.secondary.has("done") {
			t.Error("what neither store had is not in both")
		}
	})
}

func TestACommitIsDoneWhenOneStoreHasItAndTheOtherIsOwedIt(t *testing.T) {
	for name, c := range map[string]struct {
		ill  func(*pair) *sick
		have func(*pair) *sick
	}{
		"the secondary is down": {func(p *pair) *sick { return p.secondary }, func(p *pair) *sick { return p.primary }},
		"the primary is down":   {func(p *pair) *sick { return p.primary }, func(p *pair) *sick { return p.secondary }},
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, func(p *pair) {
				claim := p.is("a", hook.Ours)
				ill, have := c.ill(p), c.have(p)
				ill.how.Store(refuses)
				if err := p.Commit(context.Background(), claim); err != nil {
					t.Fatal(err)
				}
				if !have.has("a") || ill.has("a") {
					t.Error("it is in the wrong store")
				}
				// Whichever store is asked.
				for _, s := range []*side{p.Fallback.primary, p.Fallback.secondary} {
					if a, err := p.ask(context.Background(), s, newClaim("a")); err != nil || a.state != hook.Committed {
						t.Error(s.name, a, err)
					}
				}
				time.Sleep(time.Minute)
				if st := p.Stats(); st.Primary.Owed+st.Secondary.Owed != 1 {
					t.Errorf("%+v", st)
				}
				ill.how.Store(well)
				time.Sleep(5 * time.Second)
				if !ill.has("a") {
					t.Error("it never got it")
				}
				if st := p.Stats(); st.Primary.Owed+st.Secondary.Owed != 0 || st.Primary.Dropped+st.Secondary.Dropped != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestWhatAStoreIsOwedIsBoundedInNumberAndTime(t *testing.T) {
	inPair(t, func(p *pair) {
		p.secondary.how.Store(refuses)
		for i := range owedMost + 100 {
			p.take(fmt.Sprint(i))
		}
		time.Sleep(5 * time.Second)
		if st := p.Stats().Secondary; st.Owed != owedMost || st.Dropped != 100 {
			t.Errorf("%+v", st)
		}
		if n := p.logs.FilterMessageSnippet("were given up").Len(); n != 1 {
			t.Errorf("it is logged %d times", n)
		}
		time.Sleep(owedTime + time.Minute)
		if st := p.Stats().Secondary; st.Owed != 0 || st.Dropped != owedMost+100 {
			t.Errorf("%+v", st)
		}
		p.secondary.how.Store(well)
	})
}

func TestAKeyThatIsHeldInOneStoreIsNotTakenInTheOther(t *testing.T) {
	inPair(t, func(p *pair) {
		held := p.is("held", hook.Ours)
		p.trip(refuses)
		p.is("held", hook.Pending)
		if err := p.Commit(context.Background(), held); err != nil {
			t.Fatal(err)
		}
		p.is("held", hook.Committed)
		p.is("again", hook.Ours)
		p.primary.how.Store(well)
		time.Sleep(openTime + 100*time.Millisecond)
		if p.Stats().OnFallback {
			t.Fatal("it did not come back")
		}
		p.is("again", hook.Pending)
		time.Sleep(2 * time.Second)
		p.is("again", hook.Ours) // its lease is over
	})
}

func TestAPrimaryThatFallsIllWhileItIsToldIsLeftAgain(t *testing.T) {
	inPair(t, func(p *pair) {
		p.trip(refuses)
		for i := range 10 {
			p.take(fmt.Sprint(i))
		}
		p.primary.how.Store(well)
		p.secondary.how.Store(hangs) // it is asked for the list, and needs its time
		time.Sleep(openTime + 50*time.Millisecond)
		if st := p.Stats(); !st.Returning {
			t.Fatalf("%+v", st)
		}
		if text := p.Degraded(); text != "" { // nothing can be used at this moment
			t.Error(text)
		}
		time.Sleep(time.Second)
		if st := p.Stats(); st.OnFallback || st.Incomplete != 1 {
			t.Errorf("%+v", st)
		}
		for i := range 10 { // it is owed them all the same
			p.is(fmt.Sprint(i), hook.Committed)
		}
		p.secondary.how.Store(well)
	})
}

func TestAFallbackThatIsClosedWritesWhatIsOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, newSick(), newSick())
		for i := range 1000 {
			p.take(fmt.Sprint(i))
		}
		p.end()
		for i := range 1000 {
			if !p.secondary.has(fmt.Sprint(i)) {
				t.Fatalf("%d is not there", i)
			}
		}
		p = newPair(t, newSick(), newSick())
		p.trip(hangs)
		p.take("x")
		p.end() // and does not wait for the primary
	})
	if _, err := NewFallback(FallbackOptions{Primary: newSick()}); err == nil {
		t.Error("a fallback of one")
	}
}

func TestAPrimaryThatCannotBeToldIsNotUsed(t *testing.T) {
	inPair(t, func(p *pair) {
		p.trip(refuses)
		p.take("a")
		p.primary.deaf.Store(true)
		p.primary.how.Store(well)
		time.Sleep(5 * time.Second)
		if st := p.Stats(); !st.OnFallback || st.GivenBack != 0 {
			t.Errorf("%+v", st)
		}
		p.is("a", hook.Committed)
		p.primary.deaf.Store(false)
		time.Sleep(2 * time.Second)
		if st := p.Stats(); st.OnFallback || st.GivenBack != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAnIncompleteClaimIsHeldAgainstNoStore(t *testing.T) {
	inPair(t, func(p *pair) {
		noKey, noLease, noTTL := newClaim("a"), newClaim("a"), newClaim("a")
		noKey.Key, noLease.Lease, noTTL.TTL = "", 0, 0
		for range 2 * inARow {
			for _, c := range []hook.Claim{noKey, noLease} {
				if _, _, err := p.Claim(context.Background(), c); err == nil {
					t.Fatal("no error")
				}
			}
			for _, c := range []hook.Claim{noKey, noTTL} {
				if err := p.Commit(context.Background(), newClaim("b"), c); err == nil {
					t.Fatal("no error")
				}
			}
		}
		if st := p.Stats(); st.OnFallback || st.Primary.Owed+st.Secondary.Owed != 0 || p.primary.asked.Load() != 0 {
			t.Errorf("%+v", st)
		}
	})
}
