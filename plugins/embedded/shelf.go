package embedded

import (
	"context"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// Next implements hook.Shelf, in one short transaction. It also reads from a
// store that is full or marked bad.
func (d *DB) Next(ctx context.Context, s hook.QueueState, after uint64, limit int) ([]hook.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.readable(); err != nil {
		return nil, err
	}
	l := look{after: after}
	switch s {
	case hook.StateReady:
		l.bucket, l.without = bucketReady, d.desk.inWork()
	case hook.StateDead:
		l.bucket = bucketDead
	default:
		return nil, errNotOnShelf(s)
	}
	return d.read(&l, limit)
}

// Remove implements hook.Shelf. It takes effect in a full store too.
func (d *DB) Remove(ctx context.Context, s hook.QueueState, seqs ...uint64) error {
	if len(seqs) == 0 {
		return ctx.Err()
	}
	if s != hook.StateReady && s != hook.StateDead {
		return errNotOnShelf(s)
	}
	o := d.newOp((*batch).unshelve)
	o.dead, o.seqs = s == hook.StateDead, slices.Clone(seqs) // the writer may outlive the caller's hold on them
	return d.settle(ctx, o)
}

func errNotOnShelf(s hook.QueueState) error {
	return fmt.Errorf("embedded: events of the state %q are not moved", s)
}

// unshelve removes events that are elsewhere now.
func (b *batch) unshelve(o *op) error {
	for _, seq := range o.seqs {
		if o.dead {
			if _, err := b.removeLetter(seq); err != nil {
				return err
			}
			continue
		}
		k := seqKey(seq)
		if b.ready.Get(k[:]) == nil {
			continue
		}
		if _, freed := b.freed[seq]; !freed && b.desk.isInWork(seq) {
			continue
		}
		if err := b.removeReady(seq); err != nil {
			return err
		}
	}
	return nil
}

// Oldest returns when the oldest event came in that is ready or a dead letter,
// and the zero time where there is none. One that cannot be read does not count.
func (d *DB) Oldest() (oldest time.Time, err error) {
	if err := d.readable(); err != nil {
		return time.Time{}, err
	}
	err = guard(func() error {
		return d.bolt.View(func(tx *bolt.Tx) error {
			for _, name := range []string{bucketReady, bucketDead} {
				_, v := tx.Bucket([]byte(name)).Cursor().First()
				if v == nil {
					continue
				}
				if e, err := decodeEnvelope(v); err == nil && (oldest.IsZero() || e.At.Before(oldest)) {
					oldest = e.At
				}
			}
			return nil
		})
	})
	if err != nil {
		err = fmt.Errorf("embedded: %w", err)
	}
	return oldest, err
}

// Interface guard
var _ hook.Shelf = (*DB)(nil)
