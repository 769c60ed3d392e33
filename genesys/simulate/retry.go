package simulate

import (
	"context"
	"net/http"
	"time"
)

// wantsRetry reports whether Open Messaging would send again.
func (r reply) wantsRetry() bool {
	if r.err != nil {
		return classOf(r.err) == ClassTimeout
	}
	return r.status == http.StatusTooManyRequests || r.status/100 == 5
}

// retry sends a good event again while the answers ask for it, and returns how
// often it was accepted. The slot is free during the pauses: it holds one when
// it is called, and when it returns.
func (r *run) retry(stopped, requests context.Context, s step, last reply) (acceptances int) {
	if s.kind != Good || r.opts.Retries == 0 {
		return 0
	}
	for n := 0; n < r.opts.Retries && last.wantsRetry(); n++ {
		<-r.slots
		paused := r.pause(stopped)
		r.slots <- struct{}{}
		if !paused {
			return acceptances
		}
		last = r.one(requests, s, Retry, retryCopy, circumstance{paired: true})
		acceptances += count(last)
	}
	if !last.ok() {
		r.tally.gaveUp()
	}
	return acceptances
}

// pause waits before a retry, and returns false once the run is stopped.
func (r *run) pause(stopped context.Context) bool {
	timer := time.NewTimer(r.opts.RetryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return stopped.Err() == nil
	case <-stopped.Done():
		return false
	}
}
