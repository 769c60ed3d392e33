package embedded

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A desk hands out the events that the writer has taken, to those who ask for
// them. It is in memory: what the file has to know is how often an event was
// handed out (see take). The writer alone adds to work and removes from it.
//
// There is no lease that runs out while a process lives: one process has the
// file, so an event is in work as long as somebody holds its delivery, and when
// the process is gone nobody does.
type desk struct {
	mu       sync.Mutex
	prefetch int
	work     map[uint64]lease // by sequence
	out      int              // how many of them are handed out
	buffer   []taken          // taken and not handed out yet, the oldest first
	waiters  []*waiter        // who ask, the first one first
	gone     []ref            // deliveries that were dropped: nobody can settle them
	damaged  []ref            // deliveries that could not be made
	asked    time.Time        // when somebody asked for the last time

	held atomic.Int64  // how many are in work, for those who may not wait
	wake chan struct{} // of capacity 1: there is something for the writer to do
}

// ref names one delivery: an event that is handed out again has another number.
type ref struct{ seq, number uint64 }

// lease says that an event is in work.
type lease struct {
	number uint64
	at     place
}

// place is where an event in work is.
type place uint8

const (
	atDesk place = iota // nobody has it yet
	out                 // somebody has it
	aside               // its envelope is damaged
)

// taken is an event that is marked as handed out.
type taken struct {
	ref
	before int    // how often it was handed out and not settled before
	env    []byte // a copy
}

// waiter is somebody who asks for an event.
type waiter struct{ got chan taken } // of capacity 1

// unasked is how long events wait at the desk when nobody asks for more: as
// long as they do, a crash counts against them.
const unasked = time.Minute

func newDesk() *desk {
	return &desk{prefetch: 1, work: map[uint64]lease{}, wake: make(chan struct{}, 1)}
}

// poke has the writer look at the desk.
func (k *desk) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// ask returns an event, or a waiter that will get one.
func (k *desk) ask(now time.Time) (taken, *waiter) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = now
	w := &waiter{got: make(chan taken, 1)}
	k.waiters = append(k.waiters, w)
	k.match()
	select {
	case t := <-w.got:
		return t, nil
	default:
		k.poke()
		return taken{}, w
	}
}

// leave takes a waiter back. It reports false where it was given an event
// before.
func (k *desk) leave(w *waiter) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.Index(k.waiters, w)
	if i < 0 {
		return false
	}
	k.waiters = slices.Delete(k.waiters, i, i+1)
	return true
}

// match gives events to those who wait, within the prefetch.
func (k *desk) match() {
	for len(k.waiters) > 0 && len(k.buffer) > 0 && k.out < k.prefetch {
		w, t := k.waiters[0], k.buffer[0]
		k.waiters = slices.Delete(k.waiters, 0, 1)
		k.buffer = slices.Delete(k.buffer, 0, 1)
		k.work[t.seq] = lease{t.number, out}
		k.out++
		w.got <- t
	}
}

// setPrefetch changes how many events may be out. What is at the desk beyond
// that goes back.
func (k *desk) setPrefetch(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prefetch = max(1, n)
	k.match()
	k.poke()
}

// drop notes that a delivery is not there any more.
func (k *desk) drop(r ref) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.gone = append(k.gone, r)
	k.poke()
}

// setAside notes that no delivery can be made of an event.
func (k *desk) setAside(r ref) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.damaged = append(k.damaged, r)
	k.poke()
}

// holds reports whether a delivery can still be settled.
func (k *desk) holds(r ref) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.work[r.seq]
	return ok && l.number == r.number
}

// isInWork reports whether an event is not to be taken.
func (k *desk) isInWork(seq uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.work[seq]
	return ok
}

// inWork returns the sequences of the events in work, ascending.
func (k *desk) inWork() []uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	seqs := make([]uint64, 0, len(k.work))
	for seq := range k.work {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	return seqs
}

// order is what the desk wants of the next transaction.
type order struct {
	demand bool    // somebody waits
	slots  int     // how many may be taken
	held   int     // how many are in work
	back   []taken // to be marked as never handed out
	first  uint64  // the oldest event that nobody holds any more, noEvent for none
}

const noEvent = 1<<64 - 1

// order looks after the deliveries that are gone and says what is to be done.
// What is to go back has left the desk: it is the writer's.
func (k *desk) order(now time.Time, closing bool) (o order) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o.first = noEvent
	for _, r := range k.gone {
		if l, ok := k.work[r.seq]; ok && l.number == r.number {
			k.forget(r.seq, l)
			o.first = min(o.first, r.seq)
		}
	}
	for _, r := range k.damaged {
		if l, ok := k.work[r.seq]; ok && l.number == r.number && l.at == out {
			k.work[r.seq] = lease{r.number, aside}
			k.out--
		}
	}
	k.gone, k.damaged = k.gone[:0], k.damaged[:0]
	k.match()
	if n := k.keeps(now, closing); n < len(k.buffer) {
		o.back = slices.Clone(k.buffer[n:])
		k.buffer = slices.Delete(k.buffer, n, len(k.buffer))
	}
	o.demand = len(k.waiters) > 0 && !closing
	o.slots = k.prefetch - k.out - len(k.buffer)
	o.held = len(k.work)
	return o
}

// keeps returns how many events may stay at the desk.
func (k *desk) keeps(now time.Time, closing bool) int {
	if closing || len(k.waiters) == 0 && now.Sub(k.asked) >= unasked {
		return 0
	}
	return max(0, min(len(k.buffer), k.prefetch-k.out))
}

// keepsAny reports whether there are events that nobody has been given.
func (k *desk) keepsAny() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.buffer) > 0
}

// wants reports whether there is something to do, where that many events are
// ready or in work.
func (k *desk) wants(now time.Time, ready int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.gone) > 0 || len(k.damaged) > 0 || k.keeps(now, false) < len(k.buffer) ||
		len(k.waiters) > 0 && k.out+len(k.buffer) < k.prefetch && len(k.work) < ready
}

// done takes over what a transaction has done: which events are not in work any
// more, and which are now.
func (k *desk) done(freed map[uint64]struct{}, took []taken) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for seq := range freed {
		k.forget(seq, k.work[seq])
	}
	for _, t := range took {
		k.work[t.seq] = lease{t.number, atDesk}
	}
	if len(took) > 0 {
		k.buffer = append(k.buffer, took...)
		slices.SortFunc(k.buffer, func(a, b taken) int { return cmp.Compare(a.seq, b.seq) })
	}
	k.held.Store(int64(len(k.work)))
	k.match()
	if len(took) > 0 && len(k.waiters) > 0 {
		k.poke() // large events: there may be more
	}
}

func (k *desk) forget(seq uint64, l lease) {
	if l.at == out {
		k.out--
	}
	delete(k.work, seq)
}
