package embedded

import (
	"context"
	"fmt"

	"github.com/hookgate/hookgate/hook"
)

// Publish implements hook.Queue. The receipt says Local: the event is durable
// on this node only. It has the event's place.
func (d *DB) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return d.keep(ctx, ev, nil)
}

// Park implements hook.Queue. The receipt says Local: the event is durable on
// this node only.
func (d *DB) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	return d.keep(ctx, ev, &f)
}

func (d *DB) keep(ctx context.Context, ev *hook.Event, f *hook.Fault) (hook.Receipt, error) {
	o, err := d.newEventOp((*batch).publish, ev, f)
	if err != nil {
		return hook.Receipt{}, err
	}
	free, err := d.do(ctx, o)
	if !free {
		return hook.Receipt{}, err
	}
	defer d.recycle(o)
	if err != nil {
		return hook.Receipt{}, err
	}
	return hook.Receipt{Local: true, Seq: o.ref.seq}, nil
}

// Accept implements hook.Accepter. An event that cannot be kept at all, for
// its size or its ID, is refused with hook.ErrRefused.
func (d *DB) Accept(ctx context.Context, c hook.Claim, ev *hook.Event, park *hook.Fault) (hook.State, hook.Fingerprint, error) {
	o, err := d.newEventOp((*batch).accept, ev, park)
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	if err := o.addClaim(c, c.TTL > 0, errNoTTL); err != nil {
		return 0, hook.Fingerprint{}, err
	}
	free, err := d.do(ctx, o)
	if !free {
		return 0, hook.Fingerprint{}, err
	}
	defer d.recycle(o)
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	return o.state, o.fp, nil
}

// newEventOp encodes the event here, in the caller's goroutine: it takes the
// work off the writer, and the writer may outlive the caller's hold on it.
func (d *DB) newEventOp(run func(*batch, *op) error, ev *hook.Event, f *hook.Fault) (*op, error) {
	o := d.newOp(run)
	o.dead = f != nil
	env, err := appendEnvelope(o.env, d.now(), ev, f)
	if err != nil {
		d.recycle(o)
		return nil, fmt.Errorf("%w: %w", hook.ErrRefused, err)
	}
	o.env = env
	return o, nil
}

func (b *batch) publish(o *op) error {
	if err := b.refusal(); err != nil {
		o.err = unavailable(err)
		return nil
	}
	return b.enqueue(o)
}

func (b *batch) accept(o *op) error {
	c := &o.claims[0]
	old, live, err := b.lookup(c.hash)
	if err != nil {
		return err
	}
	if live && !old.heldBy(c) {
		o.state, o.fp = old.state, old.fp
		return nil
	}
	if err := b.refusal(); err != nil {
		o.err = unavailable(err)
		return nil
	}
	o.state, o.fp = hook.Ours, c.fp
	if err := b.enqueue(o); err != nil {
		return err
	}
	return b.commit(c, old)
}
