package embedded

import (
	"context"

	"github.com/hookgate/hookgate/hook"
)

// Claim implements hook.Store. When the store is full a key that is not there
// is refused with ErrFull, but for those of a consumer's inbox: without them no
// event could be processed, and a store that is full of events would stay so.
func (d *DB) Claim(ctx context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	o := d.newOp((*batch).claim)
	o.inbox = hook.IsInboxKey(c.Key)
	if err := o.addClaim(c, c.Lease > 0, errNoLease); err != nil {
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

// Renew implements hook.Store.
func (d *DB) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	o := d.newOp((*batch).renew)
	if err := o.addClaim(c, c.Lease > 0, errNoLease); err != nil {
		return false, err
	}
	free, err := d.do(ctx, o)
	if !free {
		return false, err
	}
	defer d.recycle(o)
	return o.held && err == nil, err
}

// Release implements hook.Store.
func (d *DB) Release(ctx context.Context, c hook.Claim) error {
	o := d.newOp((*batch).release)
	if err := o.addClaim(c, true, nil); err != nil {
		return err
	}
	return d.settle(ctx, o)
}

// Commit implements hook.Store. All keys are committed in one transaction.
func (d *DB) Commit(ctx context.Context, cs ...hook.Claim) error {
	if len(cs) == 0 {
		return ctx.Err()
	}
	o := d.newOp((*batch).commitAll)
	for _, c := range cs {
		if err := o.addClaim(c, c.TTL > 0, errNoTTL); err != nil {
			return err
		}
	}
	return d.settle(ctx, o)
}

// settle has an operation done that answers nothing but an error.
func (d *DB) settle(ctx context.Context, o *op) error {
	free, err := d.do(ctx, o)
	if free {
		d.recycle(o)
	}
	return err
}

// addClaim adds a claim to the operation, if it is valid.
func (o *op) addClaim(c hook.Claim, valid bool, invalid error) error {
	prepared, err := newClaim(c)
	if err != nil {
		return err
	}
	if !valid {
		return invalid
	}
	o.claims = append(o.claims, prepared)
	return nil
}

func (b *batch) claim(o *op) error {
	c := &o.claims[0]
	old, live, err := b.lookup(c.hash)
	if err != nil {
		return err
	}
	if live {
		o.state, o.fp = old.state, old.fp
		if old.heldBy(c) {
			o.state = hook.Ours
		}
		return nil
	}
	if err := b.refusal(); err != nil && !(o.inbox && b.spare > 0) {
		o.err = err
		return nil
	}
	o.state, o.fp = hook.Ours, c.fp
	return b.pend(c, old)
}

// pend marks a key as pending under the claim's token for its lease.
func (b *batch) pend(c *claim, old *record) error {
	return b.put(c.hash, old, record{state: hook.Pending, expiry: millis(b.now.Add(c.lease)), fp: c.fp, token: c.token})
}

// heldBy reports whether r is pending under the token of c.
func (r *record) heldBy(c *claim) bool {
	return r.state == hook.Pending && r.token == c.token
}

func (b *batch) renew(o *op) error {
	c := &o.claims[0]
	old, live, err := b.lookup(c.hash)
	if err != nil {
		return err
	}
	if o.held = live && old.heldBy(c); !o.held {
		return nil
	}
	return b.pend(c, old)
}

func (b *batch) release(o *op) error {
	c := &o.claims[0]
	old, _, err := b.lookup(c.hash)
	if err != nil || old == nil || !old.heldBy(c) {
		return err
	}
	return b.remove(c.hash, old)
}

func (b *batch) commitAll(o *op) error {
	for i := range o.claims {
		c := &o.claims[i]
		old, _, err := b.lookup(c.hash)
		if err != nil {
			return err
		}
		if err := b.commit(c, old); err != nil {
			return err
		}
	}
	return nil
}
