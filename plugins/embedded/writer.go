package embedded

import (
	"time"

	"github.com/hookgate/hookgate/hook"
)

// writer is the state of the one goroutine that writes.
type writer struct {
	*DB
	taken   []*op  // the batch being worked on
	arena   []byte // memory of records, used again
	nextDue int64  // when the next key expires at the earliest, Unix milliseconds
}

// write is the writer's goroutine. It ends when Close was called and nothing
// waits any more.
func (d *DB) write() {
	defer close(d.stopped)
	w := &writer{DB: d, taken: make([]*op, 0, maxBatch)} // nextDue 0: look
	tick := time.NewTicker(d.tick)
	defer tick.Stop()
	for running := true; running; {
		select {
		case o := <-d.ops:
			w.gather(o)
		case <-tick.C:
			w.idle()
		case <-d.stopping:
			running = false
		}
	}
	for len(d.ops) > 0 {
		w.gather(<-d.ops)
	}
	d.closeErr = guard(d.bolt.Close)
}

// gather takes o and all that waits behind it, and does it. There is no delay:
// while one transaction is written the next batch fills.
func (w *writer) gather(o *op) {
	w.taken = w.taken[:0]
	w.pick(o)
	for len(w.taken) < maxBatch {
		select {
		case o := <-w.ops:
			w.pick(o)
			continue
		default:
		}
		break
	}
	if len(w.taken) > 0 {
		w.execute(w.taken)
	}
}

// pick takes an operation, unless its caller has left.
func (w *writer) pick(o *op) {
	if o.phase.CompareAndSwap(opWaiting, opTaken) {
		w.taken = append(w.taken, o)
	}
}

// execute does the operations, in one transaction if it goes well, and hands
// their outcomes over.
func (w *writer) execute(ops []*op) {
	if bad := w.bad.Load(); bad != nil {
		fail(ops, unavailable(*bad))
		return
	}
	out, err := w.transact(ops, w.fullness())
	if out == noSpace { // what settles is done in the space that there is
		out, err = w.transact(ops, w.fullness())
	}
	switch {
	case out == committed:
		for _, o := range ops {
			o.finish()
		}
	case out == inDoubt:
		fail(ops, &hook.InDoubt{Cause: *w.bad.Load()})
	case out == failed && len(ops) > 1: // one is at fault, its neighbours are not
		for i := range ops {
			w.execute(ops[i : i+1])
		}
	default:
		fail(ops, unavailable(err))
	}
}

// fail hands the same error to all.
func fail(ops []*op, err error) {
	for _, o := range ops {
		o.err = err
		o.finish()
	}
}

// idle does what is due when nobody asks for anything: it sees whether there
// is space again, and removes expired keys as long as nobody waits.
func (w *writer) idle() {
	if w.noRoom.Load() && w.bad.Load() == nil {
		w.probe()
	}
	for w.phase.Load() == phaseRunning && w.bad.Load() == nil && w.nextDue <= millis(w.now()) && len(w.ops) == 0 {
		if out, _ := w.transact(nil, nil); out != committed {
			return
		}
	}
}
