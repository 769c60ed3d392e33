package app

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hookgate/hookgate/hook"
)

func TestWhoWaitsForAConfigToStartIsLetGoWhenItNeverWill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := &Runtime{started: make(chan struct{}), idle: make(chan struct{})}
		ranges := &Ranges{started: rt.started, ended: rt.idle}
		entered, awaited := make(chan error, 1), make(chan struct{}, 1)
		go func() { entered <- rt.Enter(t.Context()) }()
		go func() { ranges.Await(t.Context()); awaited <- struct{}{} }()
		synctest.Wait()
		if len(entered)+len(awaited) > 0 {
			t.Fatal("they do not wait")
		}
		<-rt.close()
		synctest.Wait()
		if len(entered)+len(awaited) < 2 {
			t.Fatal("they wait for ever")
		}
		if err := <-entered; !errors.Is(err, hook.ErrDraining) {
			t.Errorf("a request gets %v", err)
		}
	})
}
