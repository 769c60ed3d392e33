package embedded

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// counts are kept in the file, so that opening it need not walk through it.
type counts struct {
	ready, dead, keys int64 // ready: with those in work
	later             int64 // has a place of its own in the file
}

func (c counts) append(b []byte) []byte {
	for _, n := range []int64{c.ready, c.dead, c.keys} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func decodeCounts(b []byte) (counts, error) {
	switch len(b) {
	case 0: // nothing was written yet
		return counts{}, nil
	case 24:
		n := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[8*i:])) }
		return counts{ready: n(0), dead: n(1), keys: n(2)}, nil
	}
	return counts{}, fmt.Errorf("%w: its counts are damaged", ErrFormat)
}

// readCounts reads all of them. Files from before there was a consumer have no
// events that are due later.
func readCounts(meta *bolt.Bucket) (counts, error) {
	c, err := decodeCounts(meta.Get([]byte(keyCounts)))
	if v := meta.Get([]byte(keyLater)); err == nil && v != nil {
		if len(v) != 8 {
			return counts{}, fmt.Errorf("%w: its counts are damaged", ErrFormat)
		}
		c.later = int64(binary.BigEndian.Uint64(v))
	}
	return c, err
}

func (d *DB) loadCounts() counts {
	return counts{d.ready.Load(), d.dead.Load(), d.keys.Load(), d.later.Load()}
}

func (d *DB) storeCounts(c counts) {
	d.ready.Store(c.ready)
	d.dead.Store(c.dead)
	d.keys.Store(c.keys)
	d.later.Store(c.later)
}
