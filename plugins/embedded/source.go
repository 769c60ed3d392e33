package embedded

import (
	"context"
	"runtime"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// Receive implements hook.Source. Those who wait get events in the order in
// which they asked, and the events that are ready come the oldest first: one
// that was tried before has kept its place. It ends with the error of ctx, with
// ErrNotStarted, ErrClosed or ErrBad.
//
// A delivery that is dropped without being settled is handed out again, when
// the garbage collector has found it.
func (d *DB) Receive(ctx context.Context) (hook.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := d.serving(); err != nil {
			return nil, unavailable(err)
		}
		t, err := d.next(ctx)
		if err != nil {
			return nil, err
		}
		e, err := decodeEnvelope(t.env)
		if err != nil { // it stays in the file, and out of the way until the next start
			d.log.Error("an event in the embedded queue cannot be read and is passed over", zap.Uint64("seq", t.seq), zap.Error(err))
			d.desk.setAside(t.ref)
			continue
		}
		dl := &delivery{db: d, ref: t.ref, before: t.before, env: t.env, event: e.Event}
		if e.Fault != nil {
			dl.first = e.Fault.First
		}
		dl.dropped = runtime.AddCleanup(dl, d.desk.drop, t.ref)
		return dl, nil
	}
}

// next waits for an event.
func (d *DB) next(ctx context.Context) (taken, error) {
	t, w := d.desk.ask(d.now())
	if w == nil {
		return t, nil
	}
	var err error
	select {
	case t := <-w.got:
		return t, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-d.broken:
		err = unavailable(d.serving())
	case <-d.stopping:
		err = unavailable(ErrClosed)
	}
	if d.desk.leave(w) {
		return taken{}, err
	}
	return <-w.got, nil
}

// Prefetch implements hook.Source. What was taken for those who ask, and not
// handed out yet, counts too: it shows as in work. Less than 1 means 1.
// Default: 1.
func (d *DB) Prefetch(n int) { d.desk.setPrefetch(n) }

// Interface guard
var _ hook.Source = (*DB)(nil)
