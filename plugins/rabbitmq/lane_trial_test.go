package rabbitmq

import (
	"testing"
	"time"
)

func TestALaneThatHasTakenNothingIsTriedNowAndThen(t *testing.T) {
	now := time.Now()
	var ln lane
	check := func(what string, want rank) {
		t.Helper()
		if got := ln.rank(now); got != want {
			t.Errorf("%s: rank %d, want %d", what, got, want)
		}
	}
	check("its first message", proven)
	check("the next one", untried)
	now = now.Add(probeInterval)
	check("one some seconds later", proven)
	check("the one after that", untried)
	ln.tally.begin(now)
	now = now.Add(stallAfter + time.Millisecond)
	check("while one waits for long", stalled)
	ln.tally.end(true, now)
	check("when that was refused", untried)
	ln.took.Store(true)
	check("when one was confirmed", proven)
}
