package simulate

import (
	"fmt"
	"io"
	"time"
)

// How often the progress is told.
const (
	redrawEvery = time.Second
	lineEvery   = 5 * time.Second
)

// clearLine goes to the beginning of the terminal's line and empties it.
const clearLine = "\r\x1b[K"

// startProgress tells the progress until stop is called, which returns once
// nothing more is written.
func startProgress(o *Options, t *tally, started time.Time) (stop func()) {
	if o.Progress == nil {
		return func() {}
	}
	every := lineEvery
	if o.Redraw {
		every = redrawEvery
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				writeProgress(o.Progress, o.Redraw, t.progress(o, now.Sub(started)))
			case <-quit:
				if o.Redraw {
					_, _ = io.WriteString(o.Progress, clearLine)
				}
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// writeProgress does not fail a run for a progress line that cannot be written.
func writeProgress(w io.Writer, redraw bool, line string) {
	if redraw {
		_, _ = io.WriteString(w, clearLine+line)
		return
	}
	_, _ = io.WriteString(w, line+"\n")
}

// progress is the line after a part of the run.
func (t *tally) progress(o *Options, elapsed time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := fmt.Sprintf("%v  sent %d (%.0f/s)  2xx %d  4xx %d  5xx %d", elapsed.Round(time.Second),
		t.requests, float64(t.requests)/max(elapsed.Seconds(), 0.001), t.classes[2], t.classes[4], t.classes[5])
	if t.classes[3] > 0 {
		line += fmt.Sprintf("  3xx %d", t.classes[3])
	}
	if t.classes[0] > 0 {
		line += fmt.Sprintf("  errors %d", t.classes[0])
	}
	line += fmt.Sprintf("  slowest %v", t.all.max.Round(time.Millisecond))
	if left, ok := t.left(o, elapsed); ok {
		line += fmt.Sprintf("  ETA %v", left.Round(time.Second))
	}
	return line
}

// left estimates how long the run goes on, where that can be known: by its
// duration or by the events still to be sent, whichever ends it first.
func (t *tally) left(o *Options, elapsed time.Duration) (time.Duration, bool) {
	left, known := time.Duration(0), false
	if o.Duration > 0 {
		left, known = max(0, o.Duration-elapsed), true
	}
	if o.Count > 0 && t.events > 0 {
		byCount := time.Duration(float64(elapsed) / float64(t.events) * float64(o.Count-t.events))
		if !known || byCount < left {
			left, known = byCount, true
		}
	}
	return left, known
}
