package embedded

import (
	"math"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// writer is the state of the one goroutine that writes.
type writer struct {
	*DB
	picked  []*op  // the batch being worked on
	arena   []byte // memory of records, used again
	nextDue int64  // when the next key expires at the earliest, Unix milliseconds

	nextLater int64               // when the next event is due at the earliest, Unix milliseconds
	from      uint64              // see batch
	freed     map[uint64]struct{} // memory of batches, used again
	given     uint64              // see batch
	patience  patience
	back      []taken // events to be marked as never handed out
	closing   bool
	stuck     bool // what the desk wants cannot be done now
}

// write is the writer's goroutine. It ends when Close was called and nothing
// waits any more.
func (d *DB) write() {
	defer close(d.stopped)
	w := &writer{DB: d, picked: make([]*op, 0, maxBatch), freed: map[uint64]struct{}{}} // nextDue, nextLater 0: look
	tick := time.NewTicker(d.tick)
	defer tick.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	if w.tight(w.path) {
		w.probe() // so that nobody is told that it is ready before the first event finds out
	}
	for running := true; running; {
		w.set(alarm)
		select {
		case o := <-d.ops:
			w.gather(o)
		case <-d.desk.wake:
			w.serve()
		case <-alarm.C:
			w.serve()
		case <-tick.C:
			w.idle()
		case <-d.stopping:
			running = false
		}
	}
	w.closing = true
	for len(d.ops) > 0 {
		w.gather(<-d.ops)
	}
	if w.bad.Load() == nil && (len(w.back) > 0 || w.desk.keepsAny()) {
		_, _ = w.transact(nil, nil, true) // what is at the desk was never handed out
	}
	for w.bad.Load() == nil && !w.keepsFresh && w.fresh.kept {
		if out, _ := w.transact(nil, nil, true); out != committed {
			break // they are read when the file is opened again
		}
	}
	d.closeErr = guard(d.bolt.Close)
}

// gather takes o and all that waits behind it, and does it. While one transaction
// is written the next batch fills.
func (w *writer) gather(o *op) {
	w.waitForMore()
	w.picked = w.picked[:0]
	w.pick(o)
	for len(w.picked) < maxBatch {
		select {
		case o := <-w.ops:
			w.pick(o)
			continue
		default:
		}
		break
	}
	if len(w.picked) > 0 {
		begin := time.Now()
		w.execute(w.picked)
		end := time.Now()
		w.patience.done(len(w.picked), len(w.ops), end.Sub(begin), end)
	}
}

// pick takes an operation, unless its caller has left.
func (w *writer) pick(o *op) {
	if o.phase.CompareAndSwap(opWaiting, opTaken) {
		w.picked = append(w.picked, o)
	}
}

// execute does the operations, in one transaction if it goes well, and hands
// their outcomes over.
func (w *writer) execute(ops []*op) {
	if bad := w.bad.Load(); bad != nil {
		fail(ops, unavailable(*bad))
		return
	}
	out, err := w.transact(ops, w.fullness(), true)
	if out == noSpace { // what settles is done in the space that there is
		out, err = w.transact(ops, w.fullness(), false)
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
	w.stuck = false
	w.serve()
	for w.works() && w.nextDue <= millis(w.now()) && len(w.ops) == 0 {
		if out, _ := w.transact(nil, nil, true); out != committed {
			return
		}
	}
}

// serve does what the desk wants, and makes events ready whose time has come as
// long as nobody waits.
func (w *writer) serve() {
	if !w.works() || w.nextLater > millis(w.now()) && len(w.back) == 0 && !w.desk.wants(w.now(), int(w.ready.Load())) {
		return
	}
	for again := true; again; again = w.works() && w.nextLater <= millis(w.now()) && len(w.ops) == 0 {
		if out, _ := w.transact(nil, nil, true); out != committed {
			w.stuck = true
			return
		}
	}
}

// works reports whether there is any use in a transaction.
func (w *writer) works() bool { return w.phase.Load() == phaseRunning && w.bad.Load() == nil }

// set has the alarm go off when the next event is due. After a failure the
// next tick tries again.
func (w *writer) set(alarm *time.Timer) {
	wait := time.Hour // the clock may have been set until then
	if !w.stuck && w.nextLater != math.MaxInt64 {
		left := w.nextLater - millis(w.now())
		wait = time.Duration(min(max(left, 1), wait.Milliseconds())) * time.Millisecond
	}
	alarm.Reset(wait)
}
