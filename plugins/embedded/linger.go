package embedded

import "time"

// maxLinger is how long after a transaction the next one begins at the latest,
// where something waits for it.
const maxLinger = 4 * time.Millisecond

// patience is how the writer finds out whether it pays to give those whom it has
// just answered the time to come back before it begins the next transaction.
//
// Callers that have their next operation at once would come in two groups
// otherwise, one of which waits while the other is written, and each pays for
// twice as many transactions. Where operations come from elsewhere, waiting only
// makes them late: it is tried ever more rarely then, and not at all where there
// were not more than two.
type patience struct {
	answered int           // operations of the last transaction
	waiting  int           // those that had come when it was done
	took     time.Duration // how long it was
	ended    time.Time     // when it was done

	awaited int // how many it was waited for, 0 for not at all
	missed  int // transactions without waiting after one that did not pay
	pause   int // how many of them are left
}

// wants returns how many operations to wait for, and how long: until the last
// transaction is done for as long as it took, or most. 0 is for not at all.
// present is how many there are.
func (p *patience) wants(present int, now time.Time, most time.Duration) (n int, limit time.Duration) {
	p.awaited = 0
	if p.pause > 0 {
		p.pause--
		return 0, 0
	}
	n = min(p.answered+p.waiting, maxBatch)
	limit = min(p.took, most) - now.Sub(p.ended)
	if n <= 2 || n <= present || limit <= 0 {
		return 0, 0
	}
	p.awaited = n - present
	return n, limit
}

// came notes how many operations came while it was waited for them.
func (p *patience) came(n int) {
	if p.awaited == 0 {
		return
	}
	if 4*n >= 3*p.awaited {
		p.missed = 0
		return
	}
	p.missed = min(2*p.missed+1, 15)
	p.pause = p.missed
}

// done notes what a transaction was like.
func (p *patience) done(answered, waiting int, took time.Duration, now time.Time) {
	p.answered, p.waiting, p.took, p.ended = answered, waiting, took, now
}

// waitForMore waits for more operations behind the one that it has, where that
// pays. Who submits the last one that is wanted says so: to wake up for each of
// them would cost a good part of what is won.
func (w *writer) waitForMore() {
	n, limit := w.patience.wants(1+len(w.ops), time.Now(), w.maxLinger)
	if n == 0 || w.closing {
		return
	}
	n-- // the one that it has
	before := len(w.ops)
	w.enough.Store(int64(n))
	defer w.enough.Store(0)
	alarm := time.NewTimer(limit)
	defer alarm.Stop()
	for waits := true; waits && len(w.ops) < n; {
		select {
		case <-w.crowd:
		case <-alarm.C:
			waits = false
		case <-w.stopping:
			return
		}
	}
	w.patience.came(len(w.ops) - before)
}

// arrived has the writer go on if it waits and has enough.
func (d *DB) arrived() {
	if n := d.enough.Load(); n == 0 || int64(len(d.ops)) < n {
		return
	}
	select {
	case d.crowd <- struct{}{}:
	default:
	}
}
