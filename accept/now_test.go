package accept

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestACommitThatIsAwaitedIsThereWhenDoReturns(t *testing.T) {
	inBubble(t, func(r *rig) {
		claim := newClaim("a")
		if state, err := r.do(claim, succeed, Committing(time.Minute)); state != hook.Ours || err != nil {
			t.Fatal(state, err)
		}
		if r.store.committed() != 1 { // no wait
			t.Error("Do returned before the commit")
		}
	})
}

func TestACommitThatIsAwaitedIsTriedUntilTheStoreIsBack(t *testing.T) {
	inBubble(t, func(r *rig) {
		claim := newClaim("a")
		begin := time.Now()
		state, err := r.do(claim, func(context.Context) error {
			r.store.setError(errors.New("down"))
			time.AfterFunc(time.Minute, func() { r.store.setError(nil) })
			return nil
		}, Renewing(), Committing(5*time.Minute))
		if state != hook.Ours || err != nil {
			t.Fatal(state, err)
		}
		if took := time.Since(begin); took < time.Minute || took > time.Minute+longestPause {
			t.Errorf("it took %v", took)
		}
		if r.store.committed() != 1 {
			t.Error("there is no record")
		}
	})
}

func TestACommitThatIsAwaitedKeepsTheClaimMeanwhile(t *testing.T) {
	inBubble(t, func(r *rig) {
		claim := newClaim("a")
		r.store.failCommits = 8 // longer than the lease
		go func() {
			time.Sleep(3 * time.Second)
			other := newClaim("a")
			state, _, err := r.store.Claim(context.Background(), other)
			if state != hook.Pending || err != nil {
				t.Error("another has the claim", state, err)
			}
		}()
		if state, err := r.do(claim, succeed, Renewing(), Committing(time.Minute)); state != hook.Ours || err != nil {
			t.Fatal(state, err)
		}
	})
}

func TestWorkWhoseCommitFailsForGoodIsToldFromWorkThatFailed(t *testing.T) {
	inBubble(t, func(r *rig) {
		down := errors.New("down")
		begin := time.Now()
		state, err := r.do(newClaim("a"), func(context.Context) error { r.store.setError(down); return nil }, Committing(10*time.Second))
		if state != hook.Ours || !errors.Is(err, ErrUncommitted) || !errors.Is(err, down) {
			t.Error(state, err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestACommitIsTriedOnceEvenAtTheEndOfTheContext(t *testing.T) {
	inBubble(t, func(r *rig) {
		ctx, cancel := context.WithCancel(context.Background())
		state, _, err := r.core.Do(ctx, newClaim("a"), func(context.Context) error { cancel(); return nil }, Committing(time.Minute))
		if state != hook.Ours || err != nil || r.store.committed() != 1 {
			t.Error(state, err)
		}
	})
}
