package accept

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// The model of a Fallback: requests for a few keys come at any time, hold them,
// and commit, release or abandon them, while both stores fall ill and get well.
// rapid draws what happens. To the requests of one process the two stores must
// be one: nobody gets a key that another holds, or that is committed, and
// nothing is called committed that is not.

// history is what happens, as rapid drew it.
type history struct {
	Uses  []use
	Falls []fall
}

// use is one request.
type use struct {
	At, Work time.Duration
	Key      string
	End      int // 0: commit; 1: release; 2: abandon
}

// fall is the illness of one store.
type fall struct {
	At, Long  time.Duration
	Secondary bool
	How       int32
}

func drawHistory(t *rapid.T) history {
	millis := func(most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(0, most), func(n int) time.Duration { return time.Duration(n) * time.Millisecond })
	}
	return history{
		Uses: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) use {
			return use{
				At: millis(12_000).Draw(t, "at"), Work: millis(1_500).Draw(t, "work") * time.Duration(rapid.SampledFrom([]int{0, 1, 1, 3}).Draw(t, "times")),
				Key: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key"), End: rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "end"),
			}
		}), 1, 60).Draw(t, "uses"),
		Falls: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fall {
			return fall{
				At: millis(12_000).Draw(t, "at"), Long: millis(4_000).Draw(t, "long"),
				Secondary: rapid.IntRange(0, 3).Draw(t, "which") == 0, How: rapid.SampledFrom([]int32{refuses, hangs, mumbles}).Draw(t, "how"),
			}
		}), 0, 6).Draw(t, "falls"),
	}
}

// referee knows who holds what, and what is committed.
type referee struct {
	*pair
	mu        sync.Mutex
	holders   map[string]*holder
	committed map[string]bool // a commit has ended
	tried     map[string]bool // a commit was begun
	wrong     []string
}

type holder struct {
	token hook.Token
	until time.Time
}

func (r *referee) violate(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// play is one request.
func (r *referee) play(u use) {
	ctx := context.Background()
	c := newClaim(u.Key)
	begin := time.Now()
	r.mu.Lock()
	done := r.committed[u.Key]
	r.mu.Unlock()
	state, _, err := r.Claim(ctx, c)
	took := time.Since(begin)
	// Another may be asking the other store at this moment: one looks again.
	for looks := 0; done && err == nil && state == hook.Pending && looks < 10; looks++ {
		time.Sleep(25 * time.Millisecond)
		begin = time.Now()
		state, _, err = r.Claim(ctx, c)
	}
	r.mu.Lock()
	if took > 201*time.Millisecond {
		r.violate("a claim took %v", took)
	}
	switch {
	case err != nil:
	case state == hook.Committed && !r.tried[u.Key]:
		r.violate("%s is called committed, and never was", u.Key)
	case state != hook.Committed && done:
		r.violate("%s is %v, and was committed", u.Key, state)
	case state == hook.Ours:
		if h := r.holders[u.Key]; h != nil && time.Now().Before(h.until) {
			r.violate("%s is given to a second one", u.Key)
		}
		r.holders[u.Key] = &holder{c.Token, begin.Add(c.Lease)}
	}
	r.mu.Unlock()
	if err == nil && state == hook.Ours {
		r.work(c, u)
	}
}

// work holds the key as long as the work takes, and ends.
func (r *referee) work(c hook.Claim, u use) {
	ctx := context.Background()
	for left := u.Work; left > 0; left -= 500 * time.Millisecond {
		time.Sleep(min(left, 500*time.Millisecond))
		from := time.Now()
		held, err := r.Renew(ctx, c)
		r.mu.Lock()
		if h := r.holders[u.Key]; h != nil && h.token == c.Token && err == nil {
			h.until = from.Add(c.Lease)
			if !held {
				delete(r.holders, u.Key)
			}
		}
		r.mu.Unlock()
	}
	mine := func() bool { h := r.holders[u.Key]; return h != nil && h.token == c.Token }
	switch u.End {
	case 0:
		r.mu.Lock()
		r.tried[u.Key] = true
		r.mu.Unlock()
		for range commitAttempts {
			err := r.Commit(ctx, c)
			r.mu.Lock()
			r.committed[u.Key] = true // even if neither store has it yet
			if mine() {
				delete(r.holders, u.Key)
			}
			r.mu.Unlock()
			if err == nil {
				return
			}
			time.Sleep(firstPause)
		}
	case 1:
		r.mu.Lock()
		if mine() {
			delete(r.holders, u.Key)
		}
		r.mu.Unlock()
		_ = r.Release(ctx, c)
	}
}

func (r *referee) run(h history) {
	var all sync.WaitGroup
	ill := [2]int{}
	for _, f := range h.Falls {
		all.Go(func() {
			s, i := r.primary, 0
			if f.Secondary {
				s, i = r.secondary, 1
			}
			time.Sleep(f.At)
			r.mu.Lock()
			ill[i]++
			s.how.Store(f.How)
			r.mu.Unlock()
			time.Sleep(f.Long)
			r.mu.Lock()
			defer r.mu.Unlock()
			if ill[i]--; ill[i] == 0 {
				s.how.Store(well)
			}
		})
	}
	for _, u := range h.Uses {
		all.Go(func() { time.Sleep(u.At); r.play(u) })
	}
	all.Wait()
	time.Sleep(20 * time.Second)
	for key := range r.committed {
		if !r.primary.has(key) || !r.secondary.has(key) {
			r.violate("%s is not in both stores", key)
		}
	}
	if r.Stats().OnFallback {
		r.violate("it is on the fallback for ever")
	}
	if n := r.ledger.size(); n > 4 {
		r.violate("%d keys are left in the ledger", n)
	}
}

func TestToOneProcessTheTwoStoresAreOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			r := &referee{
				pair: newPair(t, newSick(), newSick()), holders: map[string]*holder{},
				committed: map[string]bool{}, tried: map[string]bool{},
			}
			r.run(h)
			r.end()
			wrong = r.wrong
		})
		if len(wrong) > 0 {
			rt.Fatalf("%q", wrong)
		}
	})
}
