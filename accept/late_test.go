package accept

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// standing is a store that answers nothing but claims and commits.
type standing struct{ *fakeStore }

func (standing) Renew(ctx context.Context, _ hook.Claim) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (standing) Release(ctx context.Context, _ hook.Claim) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestNoAnswerIsLateForAStoreThatStandsStill(t *testing.T) {
	const budget = 700 * time.Millisecond // a renewal is on its way by then
	for _, tc := range []struct {
		name string
		opts []Option
		fail error
	}{
		{"a release goes on without its caller", nil, hook.ErrRefused},
		{"a renewal ends with the work", []Option{Renewing()}, nil},
		{"both", []Option{Renewing()}, hook.ErrRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, err := New(Options{Store: standing{newFakeStore()}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), budget)
				defer cancel()
				begin := time.Now()
				_, _, err = core.Do(ctx, newClaim("a"), func(ctx context.Context) error { <-ctx.Done(); return tc.fail }, tc.opts...)
				if took := time.Since(begin); took != budget || !errors.Is(err, tc.fail) {
					t.Errorf("%v after %s", err, took)
				}
				if err := core.Close(context.Background()); err != nil { // nothing is left running
					t.Error(err)
				}
			})
		})
	}
}

func TestAReleaseThatIsQuickIsThereWhenDoReturns(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.store.slow = 50 * time.Millisecond
		claim := newClaim("a")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, _, err := r.core.Do(ctx, claim, func(context.Context) error { return hook.ErrRefused })
		if !errors.Is(err, hook.ErrRefused) {
			t.Error(err)
		}
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		if _, held := r.store.keys[claim.Key]; held {
			t.Error("the claim is still there")
		}
	})
}
