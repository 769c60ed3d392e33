package embedded

import (
	"context"
	"testing"
	"time"
)

func TestWaitingForMoreIsTriedWhereItPays(t *testing.T) {
	type transaction struct{ answered, waiting int }
	for name, tc := range map[string]struct {
		last    transaction
		present int
		want    int
	}{
		"nothing was written yet":               {transaction{0, 0}, 1, 0},
		"a lone caller":                         {transaction{1, 0}, 1, 0},
		"two that take turns":                   {transaction{1, 1}, 1, 0},
		"two groups that take turns become one": {transaction{32, 32}, 32, 64},
		"all were answered":                     {transaction{64, 0}, 1, 64},
		"all are here":                          {transaction{32, 32}, 64, 0},
		"more than a transaction takes":         {transaction{512, 600}, 300, maxBatch},
		"as many as a transaction takes wait":   {transaction{512, 600}, 600, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var p patience
			now := time.Now()
			p.done(tc.last.answered, tc.last.waiting, time.Millisecond, now)
			n, limit := p.wants(tc.present, now, maxLinger)
			if n != tc.want || n > 0 && limit != time.Millisecond {
				t.Errorf("waits for %d, at most %v, want %d", n, limit, tc.want)
			}
		})
	}
}

func TestItIsWaitedAsLongAsTheLastTransactionTookAndOnlyAfterIt(t *testing.T) {
	for name, tc := range map[string]struct{ took, ago, want time.Duration }{
		"a quick one":        {time.Millisecond, 0, time.Millisecond},
		"a slow one":         {time.Second, 0, maxLinger},
		"one of a while ago": {3 * time.Millisecond, 2 * time.Millisecond, time.Millisecond},
		"one of long ago":    {time.Second, maxLinger, 0},
		"one of an hour ago": {3 * time.Millisecond, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var p patience
			now := time.Now()
			p.done(8, 0, tc.took, now.Add(-tc.ago))
			if n, limit := p.wants(1, now, maxLinger); limit != tc.want || (n > 0) != (limit > 0) {
				t.Errorf("%v for %d, want %v", limit, n, tc.want)
			}
		})
	}
}

func TestWaitingThatDoesNotPayIsTriedEverMoreRarely(t *testing.T) {
	var p patience
	waited := func(came int) (without int) {
		t.Helper()
		for {
			now := time.Now()
			p.done(8, 0, time.Millisecond, now)
			if n, _ := p.wants(1, now, maxLinger); n > 0 {
				p.came(came)
				return without
			}
			p.came(0) // it was not waited: it says nothing
			without++
		}
	}
	for i, want := range []int{0, 1, 3, 7, 15, 15} {
		if got := waited(3); got != want {
			t.Errorf("%d transactions without waiting before the try %d, want %d", got, i, want)
		}
	}
	waited(6) // of seven
	if got := waited(7); got != 0 {
		t.Errorf("%d transactions without waiting after it paid", got)
	}
}

// lingering returns a writer that waits for n operations, as it would between
// two transactions, and what is closed when it goes on.
func lingering(t *testing.T, n int, limit time.Duration) (*DB, <-chan struct{}) {
	t.Helper()
	d := unstarted(t, Options{})
	d.phase.Store(phaseRunning)
	d.maxLinger = limit
	w := &writer{DB: d}
	w.patience.done(n, 0, time.Hour, time.Now())
	done := make(chan struct{})
	go func() { defer close(done); w.waitForMore() }()
	// On a busy machine a short wait may be over before anybody looks.
	eventually(t, "it waits", func() bool { return d.enough.Load() == int64(n)-1 || goesOn(done) })
	return d, done
}

func goesOn(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestTheWriterGoesOnWithTheLastOfThoseThatItWaitsFor(t *testing.T) {
	d, done := lingering(t, 4, time.Hour)
	d.crowd <- struct{}{} // from a wait before: it says nothing
	for i := range 3 {
		if goesOn(done) {
			t.Errorf("it goes on with %d of 3", i)
		}
		if err := d.submit(context.Background(), d.newOp((*batch).publish)); err != nil {
			t.Fatal(err)
		}
	}
	<-done
}

func TestTheWriterGoesOnWithoutThoseWhoDoNotCome(t *testing.T) {
	d, done := lingering(t, 4, 10*time.Millisecond)
	if err := d.submit(context.Background(), d.newOp((*batch).publish)); err != nil {
		t.Fatal(err)
	}
	<-done
	if n := len(d.ops); n != 1 {
		t.Errorf("%d operations", n)
	}
}

func TestClosingDoesNotWaitForMore(t *testing.T) {
	d, done := lingering(t, 4, time.Hour)
	close(d.stopping)
	<-done
}
