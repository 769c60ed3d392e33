package accept

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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

func TestCommitsThatFailAreToldOfNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		observed, logs := observer.New(zap.WarnLevel)
		store.setError(errors.New("refused"))
		core, err := New(Options{Store: store, Logger: zap.New(observed)})
		if err != nil {
			t.Fatal(err)
		}
		for range 60 { // seconds
			core.commits.add(newClaim("a"))
			time.Sleep(time.Second)
		}
		if err := core.Close(context.Background()); err != nil {
			t.Error(err)
		}
		told := int64(0)
		for _, e := range logs.All() {
			told += e.ContextMap()["count"].(int64)
		}
		if n := logs.Len(); n < 6 || n > 7 || told < 51 || told > 60 {
			t.Errorf("%d of 60 are told in %d lines", told, n)
		}
	})
}
