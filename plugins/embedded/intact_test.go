package embedded

import (
	"errors"
	"testing"
)

// intact checks that the file is sound, that each key has its one place in the
// expiry index, and that the counts are those of the buckets.
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
		for name, n := range map[string]*int64{bucketReady: &got.ready, bucketDead: &got.dead, bucketKeys: &got.keys} {
			*n = int64(tx.Bucket([]byte(name)).Stats().KeyN)
		}
		if want := d.loadCounts(); got != want {
			t.Errorf("the file has %+v, the counts say %+v", got, want)
		}
		stored, err := decodeCounts(tx.Bucket([]byte(bucketMeta)).Get([]byte(keyCounts)))
		if err != nil || stored != got {
			t.Errorf("the file says %+v of itself, %v", stored, err)
		}
		index := tx.Bucket([]byte(bucketExpiry))
		if n := int64(index.Stats().KeyN); n != got.keys {
			t.Errorf("%d entries in the index for %d keys", n, got.keys)
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
