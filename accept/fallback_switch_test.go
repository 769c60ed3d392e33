package accept

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestWhileAllIsWellThePrimaryHasTheClaims(t *testing.T) {
	inPair(t, func(p *pair) {
		p.take("a")
		p.is("a", hook.Committed)
		held := p.is("b", hook.Ours)
		p.is("b", hook.Pending)
		if n := p.secondary.asked.Load(); n != 0 {
			t.Errorf("the secondary was asked %d times", n)
		}
		if err := p.Release(context.Background(), held); err != nil {
			t.Error(err)
		}
		p.is("b", hook.Ours)
		time.Sleep(owedGather)
		synctest.Wait()
		if !p.primary.has("a") || !p.secondary.has("a") {
			t.Error("the commit is not in both")
		}
		if err, text := p.Ready(), p.Degraded(); err != nil || text != "" {
			t.Error(err, text)
		}
		if n := p.ledger.size(); n != 1 { // b
			t.Errorf("%d keys in the ledger", n)
		}
	})
}

func TestAClaimThatThePrimaryDoesNotAnswerIsTakenByTheSecondaryAtOnce(t *testing.T) {
	for name, how := range map[string]int32{"it refuses": refuses, "it hangs": hangs, "its answer is lost": mumbles} {
		t.Run(name, func(t *testing.T) {
			inPair(t, func(p *pair) {
				p.take("before")
				time.Sleep(time.Second)
				p.primary.how.Store(how)
				for i := range inARow {
					begin := time.Now()
					p.is(fmt.Sprint(i), hook.Ours)
					if took := time.Since(begin); took > 100*time.Millisecond {
						t.Errorf("claim %d took %v", i, took)
					}
				}
				synctest.Wait()
				asked := p.primary.asked.Load()
				for i := range 100 { // it is not waited for any more
					begin := time.Now()
					p.take(fmt.Sprint("after", i))
					if took := time.Since(begin); took != 0 {
						t.Fatalf("it took %v", took)
					}
				}
				p.is("before", hook.Committed) // of the time before the switch
				if n := p.primary.asked.Load(); n != asked {
					t.Errorf("the primary was asked %d times more", n-asked)
				}
				if err, text := p.Ready(), p.Degraded(); err != nil || text != "primary down, on fallback" {
					t.Error(err, text)
				}
				if st := p.Stats(); st.Detours != inARow || st.Primary.Failures != inARow || st.Secondary.Claims != inARow+101 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestThePrimaryIsUsedAgainWhenItKnowsWhatItHasMissed(t *testing.T) {
	inPair(t, func(p *pair) {
		p.trip(hangs)
		for i := range 10 {
			p.take(fmt.Sprint("missed", i))
		}
		p.is("pending", hook.Ours)
		time.Sleep(10 * time.Second)
		if n := p.logs.Len(); n != 1 {
			t.Errorf("%d lines are logged", n)
		}
		p.primary.how.Store(well)
		time.Sleep(openTime + 200*time.Millisecond)
		st := p.Stats()
		if st.OnFallback || st.Primary.Breaker != "closed" || st.GivenBack != 10 {
			t.Fatalf("%+v", st)
		}
		if st.Spent < 10*time.Second || st.Spent > 12*time.Second {
			t.Errorf("%v on the fallback", st.Spent)
		}
		for i := range 10 {
			if !p.primary.has(fmt.Sprint("missed", i)) {
				t.Errorf("it does not know %d", i)
			}
			p.is(fmt.Sprint("missed", i), hook.Committed)
		}
		// A claim stays where it was taken.
		p.is("pending", hook.Ours) // its lease of two seconds is over
		p.trip(refuses)
		pending := p.is("held", hook.Ours)
		p.primary.how.Store(well)
		for range 10 {
			time.Sleep(500 * time.Millisecond)
			if held, err := p.Renew(context.Background(), pending); !held || err != nil {
				t.Fatal(held, err)
			}
			p.is("held", hook.Pending)
		}
		if p.Stats().OnFallback {
			t.Error("it did not come back")
		}
		if err := p.Release(context.Background(), pending); err != nil {
			t.Error(err)
		}
		if p.secondary.knows(pending.Key) {
			t.Error("it was not released where it was taken")
		}
		p.is("held", hook.Ours)
		synctest.Wait()
		p.mu.Lock()
		got := fmt.Sprint(p.changes)
		p.mu.Unlock()
		if got != "[true false true false]" {
			t.Error(got)
		}
		if n := p.logs.Len(); n != 4 {
			t.Errorf("%d lines are logged", n)
		}
	})
}

func TestAnotherProcessIsToldOfAsWell(t *testing.T) {
	inPair(t, func(p *pair) {
		other := newPair(t, p.primary, p.secondary)
		defer other.end()
		p.take("before")
		p.trip(hangs)
		other.trip(hangs)
		other.take("by the other")
		p.take("by this one")
		for _, key := range []string{"before", "by the other", "by this one"} {
			p.is(key, hook.Committed)
			other.is(key, hook.Committed)
		}
		other.forget() // it may do nothing more: it was killed
		p.primary.how.Store(well)
		time.Sleep(2 * time.Second)
		if p.Stats().OnFallback {
			t.Fatal("it did not come back")
		}
		if !p.primary.has("by the other") || !p.primary.has("by this one") {
			t.Error("the primary was not told")
		}
	})
}

// forget forgets what is owed, as a process does that is killed.
func (f *Fallback) forget() {
	for _, s := range []*side{f.primary, f.secondary} {
		batch, _ := s.owed.take()
		s.owed.pay(batch)
	}
}

// A process that is started while the primary is down does not know since when.
func TestAProcessThatBeginsOnTheFallbackGivesAllBack(t *testing.T) {
	inPair(t, func(p *pair) {
		old := newClaim("old")
		_ = p.secondary.Commit(context.Background(), old)
		p.secondary.mu.Lock()
		p.secondary.at[old.Key] = time.Now().Add(-40 * time.Minute)
		p.secondary.mu.Unlock()
		p.trip(refuses)
		p.primary.how.Store(well)
		time.Sleep(2 * time.Second)
		if !p.primary.has("old") {
			t.Error("it was not given back")
		}
	})
}

// PostgreSQL at the edge may forget its last commits in a crash.
func TestASecondaryThatForgetsIsRemembered(t *testing.T) {
	inPair(t, func(p *pair) {
		p.trip(refuses)
		p.take("a")
		p.secondary.mu.Lock()
		clear(p.secondary.keys)
		p.secondary.mu.Unlock()
		p.is("a", hook.Committed)
		p.primary.how.Store(well)
		time.Sleep(2 * time.Second)
		p.is("a", hook.Committed)
		if !p.primary.has("a") {
			t.Error("the primary was not told")
		}
	})
}
