package embedded

import (
	"errors"
	"maps"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// intact checks that the file is sound, that each key has its one place in the
// expiry index and each event one place in all, and that the counts are those of
// the buckets.
func intact(t testing.TB, d *DB) {
	t.Helper()
	tx, err := d.bolt.Begin(true) // a check beside a writer is a race in bbolt
	if err != nil {
		t.Fatal(err)
	}
	err = func() error {
		for err := range tx.Check() {
			t.Error(err)
		}
		var got counts
		for name, n := range map[string]*int64{bucketReady: &got.ready, bucketDead: &got.dead, bucketKeys: &got.keys, bucketLater: &got.later} {
			if b := tx.Bucket([]byte(name)); b != nil {
				*n = int64(b.Stats().KeyN)
			}
		}
		young, err := loadFresh(tx)
		if err != nil {
			return err
		}
		got.keys += int64(len(young.sides[0]) + len(young.sides[1]))
		if want := d.loadCounts(); got != want {
			t.Errorf("the file has %+v, the counts say %+v", got, want)
		}
		stored, err := readCounts(tx.Bucket([]byte(bucketMeta)))
		if err != nil || stored != got {
			t.Errorf("the file says %+v of itself, %v", stored, err)
		}
		if err := queueIntact(t, tx, got.later); err != nil {
			return err
		}
		index := tx.Bucket([]byte(bucketExpiry))
		if n := int64(index.Stats().KeyN); n != got.keys {
			t.Errorf("%d entries in the index for %d keys", n, got.keys)
		}
		for i, side := range young.sides {
			if !maps.Equal(side, d.fresh.sides[i]) {
				t.Errorf("%d fresh keys are in a bucket, and %d in memory, or others", len(side), len(d.fresh.sides[i]))
			}
			for h, k := range side {
				if _, both := young.sides[1-i][h]; both || tx.Bucket([]byte(bucketKeys)).Get(h[:]) != nil {
					t.Error("a fresh key is in two places")
				}
				if at := newDue(k.expiry, h); index.Get(at[:]) == nil {
					t.Error("a fresh key has no place in the index")
				}
			}
		}
		return tx.Bucket([]byte(bucketKeys)).ForEach(func(k, v []byte) error {
			r, err := decodeRecord(v)
			if err != nil {
				return err
			}
			if at := newDue(r.expiry, hash(k)); index.Get(at[:]) == nil {
				t.Errorf("a %v key has no place in the index", r.state)
			}
			return nil
		})
	}()
	if err := errors.Join(err, tx.Rollback()); err != nil {
		t.Error(err)
	}
}

// queueIntact checks that an event that is due has one place in the index and is
// not ready, and that only ready ones were handed out.
func queueIntact(t testing.TB, tx *bolt.Tx, later int64) error {
	t.Helper()
	ready, due := tx.Bucket([]byte(bucketReady)), tx.Bucket([]byte(bucketLater))
	if b := tx.Bucket([]byte(bucketHanded)); b != nil {
		if err := b.ForEach(func(k, v []byte) error {
			if len(v) != 4 || ready.Get(k) == nil {
				t.Errorf("event %x was handed out %x times and is not ready", k, v)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	index := tx.Bucket([]byte(bucketLaterAt))
	if index == nil {
		return nil
	}
	if n := int64(index.Stats().KeyN); n != later {
		t.Errorf("%d entries in the index for %d events that are due", n, later)
	}
	return index.ForEach(func(k, _ []byte) error {
		if seq := k[8:]; due.Get(seq) == nil || ready.Get(seq) != nil {
			t.Errorf("event %x is not due alone", seq)
		}
		return nil
	})
}
