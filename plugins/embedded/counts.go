package embedded

import (
	"encoding/binary"
	"fmt"
)

// counts are kept in the file, so that opening it need not walk through it.
type counts struct{ ready, dead, keys int64 }

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
		return counts{n(0), n(1), n(2)}, nil
	}
	return counts{}, fmt.Errorf("%w: its counts are damaged", ErrFormat)
}

func (d *DB) loadCounts() counts {
	return counts{d.ready.Load(), d.dead.Load(), d.keys.Load()}
}

func (d *DB) storeCounts(c counts) {
	d.ready.Store(c.ready)
	d.dead.Store(c.dead)
	d.keys.Store(c.keys)
}
