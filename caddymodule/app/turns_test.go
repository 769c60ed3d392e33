package app

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestAForwarderAndConsumersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			ts                       turns
			forwarders, consumers    atomic.Int64
			alone, together, waiting = true, false, make(chan struct{})
		)
		take := func(alone bool, n *atomic.Int64) {
			go func() {
				if ts.take(context.Background(), alone) == nil {
					n.Add(1)
				}
				waiting <- struct{}{}
			}()
			synctest.Wait()
		}
		check := func(when string, f, c int64) {
			t.Helper()
			synctest.Wait()
			if forwarders.Load() != f || consumers.Load() != c {
				t.Errorf("%s there were %d forwarders and %d consumers, not %d and %d", when, forwarders.Load(), consumers.Load(), f, c)
			}
		}
		take(alone, &forwarders)
		<-waiting
		take(alone, &forwarders) // of the next config
		take(together, &consumers)
		check("while one forwards", 1, 0)
		ts.give()
		<-waiting
		synctest.Wait()
		if forwarders.Load()+consumers.Load() != 2 {
			t.Error("nobody, or everybody, had the next turn")
		}
		ts.give()
		<-waiting
		check("after both", 2, 1)
		ts.give() // whichever of them was the last
		for range 2 {
			take(together, &consumers)
			<-waiting
		}
		check("consumers are together", 2, 3)
		ts.give()
		ts.give()

		ctx, cancel := context.WithCancel(context.Background())
		take(alone, &forwarders)
		<-waiting
		cancel()
		if ts.take(ctx, together) == nil {
			t.Error("who has given up had a turn")
		}
	})
}
