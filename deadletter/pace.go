package deadletter

import (
	"context"
	"time"
)

// pace keeps to a rate.
type pace struct {
	every time.Duration // 0: no bound
	next  time.Time     // the turn that was last
}

// longest is the longest pause between two letters.
const longest = 365 * 24 * time.Hour

func newPace(rate float64) *pace {
	p := new(pace)
	if rate > 0 {
		p.every = time.Duration(min(float64(time.Second)/rate, float64(longest)))
	}
	return p
}

// wait waits for the next turn. The first comes after a pause, so that runs
// that follow each other keep to the rate too. A turn that came late is made up
// for, more than one are not: there are no bursts.
func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return ctx.Err()
	}
	now := time.Now()
	if now.Sub(p.next) > p.every {
		p.next = now
	}
	p.next = p.next.Add(p.every)
	timer := time.NewTimer(p.next.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
