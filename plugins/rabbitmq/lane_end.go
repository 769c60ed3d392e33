package rabbitmq

import "time"

// Why a lane ends while its connection goes on.

// stuck reports whether confirmations are awaited and none has come for so long
// that none will. A queue that lost its leader may forget what was on its way
// to it, and whose channel it came from.
func (ln *lane) stuck(now time.Time) bool {
	return ln.link.blocked.Load() == nil && ln.tally.stalledFor(stuckAfter, now) > 0
}

// forgets reports whether a message has waited for its confirmation for so long
// that it will have none, though others have got theirs: the library keeps what
// is confirmed behind it.
func (ln *lane) forgets(now time.Time) bool {
	if ln.link.blocked.Load() != nil {
		return false
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, o := range ln.pending {
		if now.Sub(o.at) > ln.link.queue.opts.forgets {
			return true
		}
	}
	return false
}

// refuses reports whether a queue has refused all that came on this lane for so
// long that the reason may be over. RabbitMQ tells a channel once that a quorum
// queue is full, and 3.10 does not tell it that the policy is gone by which it
// was.
func (ln *lane) refuses(now time.Time) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, since := range ln.refused {
		if now.Sub(since) > refusesAfter {
			return true
		}
	}
	return false
}

// tell notes what a queue has answered.
func (ln *lane) tell(t *target, acked bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	_, known := ln.refused[t]
	switch {
	case acked && known:
		delete(ln.refused, t)
	case !acked && !known:
		ln.refused[t] = time.Now()
	}
}

// retire closes a lane on which nothing is written any more, once what was
// written is confirmed: other queues are not to suffer. What is not confirmed
// within that time is given up before, as the server may not answer to the
// closing of a channel that stands still.
func (ln *lane) retire(within time.Duration) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ln.tally.outstanding.Load() > 0 && !ln.ch.IsClosed() && time.Since(begin) < within; {
		<-tick.C
	}
	close(ln.gone)
	_ = ln.ch.Close()
}

func (ln *lane) isGone() bool {
	select {
	case <-ln.gone:
		return true
	default:
		return false
	}
}
