package consumer

import "time"

// pause is the time to wait before something that failed is tried again. It
// grows from minPause to maxPause.
type pause struct {
	on    bool
	wait  time.Duration
	until time.Time
}

// fail begins a pause, or a longer one where the last is over. What fails while
// it lasts says nothing new.
func (p *pause) fail(now time.Time, atLeast time.Duration) {
	switch {
	case !p.on:
		p.on, p.wait = true, minPause
	case now.Before(p.until):
		return
	default:
		p.wait = min(2*p.wait, maxPause)
	}
	p.until = now.Add(max(p.wait, min(atLeast, maxPause)))
}

func (p *pause) end() { *p = pause{} }

// left returns how long the pause still lasts.
func (p *pause) left(now time.Time) time.Duration {
	if !p.on {
		return 0
	}
	return max(0, p.until.Sub(now))
}
