package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hookgate/hookgate/hook"
)

// op is one operation on its way through the writer.
type op struct {
	do func(*batch, *op) error

	state       hook.State
	fingerprint hook.Fingerprint
	err         error

	fate atomic.Uint32 // waiting, then taken by the writer or left by the caller
	done chan struct{} // closed when the fields above are final
}

const (
	waiting uint32 = iota
	taken
	left
)

// run hands an operation to the writer and waits. When ctx ends before the
// writer took it, it will never be done; after that nobody knows.
func (db *DB) run(ctx context.Context, o *op) error {
	o.done = make(chan struct{})
	if err := db.enqueue(ctx, o); err != nil {
		return err
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
	}
	if o.fate.CompareAndSwap(waiting, left) {
		return ctx.Err()
	}
	select { // done at the same moment: then it is known after all
	case <-o.done:
		return o.err
	default:
		return &hook.InDoubt{Cause: ctx.Err()}
	}
}

func (db *DB) enqueue(ctx context.Context, o *op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db.mu.RLock() // Close waits for the sending, and the writer for nobody
	defer db.mu.RUnlock()
	if err := db.usableLocked(); err != nil {
		return unavailable(err)
	}
	select {
	case db.ops <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unavailable says that nothing was written.
func unavailable(err error) error { return fmt.Errorf("%w: %w", hook.ErrUnavailable, err) }

// Claim implements hook.Store.
func (db *DB) Claim(ctx context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	k := keyOf(c.Key)
	o := &op{do: func(b *batch, o *op) error {
		r, found, err := b.get(k)
		if err != nil {
			return err
		}
		switch {
		case found && r.committed:
			o.state, o.fingerprint = hook.Committed, r.fingerprint
			return nil
		case found && r.token != c.Token:
			o.state, o.fingerprint = hook.Pending, r.fingerprint
			return nil
		case !found && b.full:
			return unavailable(errFull)
		}
		o.state, o.fingerprint = hook.Ours, c.Fingerprint
		return b.put(k, record{token: c.Token, fingerprint: c.Fingerprint, expires: b.now.Add(c.Lease).UnixMilli()})
	}}
	err := db.run(ctx, o)
	return o.result(err)
}

// result returns what the writer found, unless nobody knows.
func (o *op) result(err error) (hook.State, hook.Fingerprint, error) {
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	return o.state, o.fingerprint, nil
}

// Renew implements hook.Store.
func (db *DB) Renew(ctx context.Context, c hook.Claim) (bool, error) {
	k := keyOf(c.Key)
	held := false
	err := db.run(ctx, &op{do: func(b *batch, _ *op) error {
		r, found, err := b.get(k)
		if err != nil || !found || r.committed || r.token != c.Token {
			return err
		}
		held = true
		r.expires = b.now.Add(c.Lease).UnixMilli()
		return b.put(k, r)
	}})
	if err != nil {
		return false, err
	}
	return held, nil
}

// Release implements hook.Store.
func (db *DB) Release(ctx context.Context, c hook.Claim) error {
	k := keyOf(c.Key)
	return db.run(ctx, &op{do: func(b *batch, _ *op) error {
		r, found, err := b.get(k)
		if err != nil || !found || r.committed || r.token != c.Token {
			return err
		}
		return b.remove(k, r)
	}})
}

// Commit implements hook.Store.
func (db *DB) Commit(ctx context.Context, claims ...hook.Claim) error {
	return db.run(ctx, &op{do: func(b *batch, _ *op) error {
		for _, c := range claims {
			err := b.put(keyOf(c.Key), record{committed: true, fingerprint: c.Fingerprint, expires: b.now.Add(c.TTL).UnixMilli()})
			if err != nil {
				return err
			}
		}
		return nil
	}})
}

// Accept implements hook.Accepter.
func (db *DB) Accept(ctx context.Context, c hook.Claim, ev *hook.Event, park *hook.Fault) (hook.State, hook.Fingerprint, error) {
	k, envelope := keyOf(c.Key), encodeEnvelope(ev, park)
	o := &op{do: func(b *batch, o *op) error {
		r, found, err := b.get(k)
		if err != nil {
			return err
		}
		switch {
		case found && r.committed:
			o.state, o.fingerprint = hook.Committed, r.fingerprint
			return nil
		case found && r.token != c.Token:
			o.state, o.fingerprint = hook.Pending, r.fingerprint
			return nil
		}
		o.state, o.fingerprint = hook.Ours, c.Fingerprint
		if err := b.enqueue(envelope, park != nil); err != nil {
			return err
		}
		return b.put(k, record{committed: true, fingerprint: c.Fingerprint, expires: b.now.Add(c.TTL).UnixMilli()})
	}}
	err := db.run(ctx, o)
	return o.result(err)
}

// Publish implements hook.Queue.
func (db *DB) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	envelope := encodeEnvelope(ev, nil)
	return hook.Receipt{}, db.run(ctx, &op{do: func(b *batch, _ *op) error { return b.enqueue(envelope, false) }})
}

// Park implements hook.Queue.
func (db *DB) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	envelope := encodeEnvelope(ev, &f)
	return hook.Receipt{}, db.run(ctx, &op{do: func(b *batch, _ *op) error { return b.enqueue(envelope, true) }})
}

// enqueue adds an envelope to the queue or to the dead letters.
func (b *batch) enqueue(envelope []byte, dead bool) error {
	if b.full {
		return unavailable(errFull)
	}
	if dead {
		b.delta.dead++
		return appendTo(b.dead, envelope)
	}
	b.delta.ready++
	return appendTo(b.ready, envelope)
}

// errDoubt is what the operations of a transaction get whose end nobody knows.
func errDoubt(cause error) error {
	return &hook.InDoubt{Cause: errors.Join(errors.New("embedded: the transaction was not confirmed"), cause)}
}
