package embedded

import (
	"context"
	"sync/atomic"

	"github.com/hookgate/hookgate/hook"
)

// The states of an operation. Writer and caller agree through them on whether
// it will be done: each moves it out of opWaiting, one of them first.
const (
	opWaiting uint32 = iota
	opTaken          // by the writer: its outcome is that of a transaction
	opLeft           // by the caller: it will never be done
)

// op is one operation on its way through the writer. What it needs is prepared
// in the caller's goroutine; the writer reads nothing that the caller may
// change after it left.
type op struct {
	run    func(*batch, *op) error // an error fails the transaction
	inbox  bool                    // the claim is of a consumer: see spare
	claims []claim
	env    []byte // envelope of the event
	dead   bool   // the event is a dead letter

	// Of what settles a delivery, or a dead letter. Of a new event, its place.
	ref      ref
	before   int       // as in taken
	due      int64     // Unix milliseconds
	delay    int64     // milliseconds until then
	delivery *delivery // reachable until it is done

	seqs []uint64 // what is to be removed

	// The outcome, of the writer until done.
	state hook.State
	fp    hook.Fingerprint
	held  bool
	err   error

	phase atomic.Uint32
	done  chan struct{} // of capacity 1; gets a value when the outcome is there
}

// newOp returns an operation with an empty envelope to append to.
func (d *DB) newOp(run func(*batch, *op) error) *op {
	o := d.pool.Get().(*op)
	*o = op{run: run, claims: o.claims[:0], env: o.env[:0], done: o.done}
	return o
}

// maxPooled is the largest envelope, in bytes, whose memory is used again.
const maxPooled = 128 << 10

// recycle gives back an operation that the writer has no hold on any more.
func (d *DB) recycle(o *op) {
	if cap(o.env) <= maxPooled {
		d.pool.Put(o)
	}
}

// do has the operation done. Its error says why nothing was done, unless it is
// an *hook.InDoubt. It reports whether o may be recycled: else the writer may
// still read it.
func (d *DB) do(ctx context.Context, o *op) (free bool, err error) {
	if err := ctx.Err(); err != nil {
		return true, err
	}
	if err := d.submit(ctx, o); err != nil {
		return true, err
	}
	return d.await(ctx, o)
}

// submit hands an operation to the writer. It does so after the end of ctx too,
// where it need not wait for that.
func (d *DB) submit(ctx context.Context, o *op) error {
	if err := d.serving(); err != nil {
		return unavailable(err)
	}
	select {
	case d.ops <- o:
		d.arrived()
		return nil
	default:
	}
	select {
	case d.ops <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.stopping:
		return unavailable(ErrClosed)
	}
}

// await waits for the outcome of an operation that the writer has. When ctx
// ends before it has begun it is not done.
func (d *DB) await(ctx context.Context, o *op) (free bool, err error) {
	select {
	case <-o.done:
		return true, o.err
	case <-ctx.Done():
		if o.phase.CompareAndSwap(opWaiting, opLeft) {
			return false, ctx.Err()
		}
		select {
		case <-o.done:
			return true, o.err
		default:
			return false, &hook.InDoubt{Cause: ctx.Err()}
		}
	case <-d.stopped: // the writer has answered all that it took
		select {
		case <-o.done:
			return true, o.err
		default:
			return false, unavailable(ErrClosed)
		}
	}
}

// reset forgets the outcome of a transaction that failed.
func (o *op) reset() { o.state, o.fp, o.held, o.err = 0, hook.Fingerprint{}, false, nil }

// finish hands the outcome to the caller. The writer does not touch o after.
func (o *op) finish() { o.done <- struct{}{} }
