package simulate

import (
	"context"
	"time"
)

// pacer holds a rate against a fixed start, so that a pause is made up for and
// the average is met.
type pacer struct {
	start time.Time
	rate  float64 // per second; 0: no waiting
}

// wait returns when event n, counted from 0, is due, or with the context's
// error.
func (p pacer) wait(ctx context.Context, n int) error {
	if p.rate == 0 {
		return ctx.Err()
	}
	due := p.start.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
