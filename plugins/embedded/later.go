package embedded

import (
	"encoding/binary"
	"math"
)

// dueKey is a key of the index of events that are due later. They sort by time.
type dueKey [8 + 8]byte

func newDueKey(at int64, seq uint64) (k dueKey) {
	binary.BigEndian.PutUint64(k[:8], uint64(at))
	binary.BigEndian.PutUint64(k[8:], seq)
	return k
}

func (k dueKey) at() int64   { return int64(binary.BigEndian.Uint64(k[:8])) }
func (k dueKey) seq() uint64 { return binary.BigEndian.Uint64(k[8:]) }

// postpone puts an event that is not ready any more away until a time, in Unix
// milliseconds. For how long that is, in milliseconds, is kept for a survey.
func (b *batch) postpone(seq uint64, at, delay int64, env []byte) error {
	k, i := seqKey(seq), newDueKey(at, seq)
	b.dirty = true
	b.counts.later++
	b.nextLater = min(b.nextLater, at)
	start := len(b.arena)
	b.arena = binary.BigEndian.AppendUint64(b.arena, uint64(delay))
	if err := b.laterAt.put(b.tx, i[:], b.arena[start:len(b.arena):len(b.arena)]); err != nil {
		return err
	}
	return b.later.put(b.tx, k[:], env)
}

// ripen makes events ready whose time has come, in the places that they had.
func (b *batch) ripen() error {
	now := millis(b.now)
	if b.nextLater > now {
		return nil
	}
	b.nextLater = math.MaxInt64
	if b.laterAt.b == nil {
		return nil
	}
	var ripe []dueKey
	c := b.laterAt.b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if d := dueKey(k); len(ripe) < maxMoved && d.at() <= now {
			ripe = append(ripe, d)
			continue
		}
		b.nextLater = dueKey(k).at()
		break
	}
	size := 0
	for _, d := range ripe {
		if size >= chunkBytes {
			b.nextLater = min(b.nextLater, d.at())
			break
		}
		n, err := b.mature(d)
		if err != nil {
			return err
		}
		size += n
	}
	return nil
}

// mature makes one event ready, and returns how large it is. Where there is
// none it removes the entry of the index alone, so that those behind it are
// reached.
func (b *batch) mature(d dueKey) (size int, err error) {
	b.dirty = true
	seq := d.seq()
	k := seqKey(seq)
	if env := b.later.get(k[:]); env != nil {
		start := len(b.arena)
		b.arena = append(b.arena, env...)
		if err := b.ready.Put(k[:], b.arena[start:len(b.arena):len(b.arena)]); err != nil {
			return 0, err
		}
		size = len(env)
		b.counts.later--
		b.counts.ready++
		b.from = min(b.from, seq)
	}
	if err := b.later.delete(k[:]); err != nil {
		return 0, err
	}
	return size, b.laterAt.delete(d[:])
}
