package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// Keys sort by their hash, so that in a large file each new one is in a page of
// its own, which is copied, written and synced for it. So new keys are put one
// behind the other first, in one of two buckets, and are known in memory. When
// there are many of them the other bucket is begun, and those of the first move
// to their place in the order of their hashes, a few in each transaction: many
// neighbours share a page then. When all have moved the bucket is dropped.
//
// The meta bucket has which of the buckets new keys are added to, and how far
// those of the other one have moved.

const (
	freshEnough = 16 << 10 // keys in a bucket from which on they move
	flushAtOnce = 4 << 10  // keys that a transaction moves when the file is closed
)

// freshKey is a committed key that is not in the bucket of keys yet.
type freshKey struct {
	seq    uint64 // its place in the bucket of fresh ones
	expiry int64
	fp     hook.Fingerprint
}

func (k freshKey) record() *record {
	return &record{state: hook.Committed, expiry: k.expiry, fp: k.fp}
}

// fresh are all of these keys.
type fresh struct {
	sides  [2]map[hash]freshKey
	to     int    // the side that new ones are added to
	moving []hash // those of the other side that are still to move, ascending
	kept   bool   // the file has a bucket of them

	// As it was before the transaction that is worked on.
	undo      []freshChange
	wasTo     int
	wasMoving []hash
}

// freshChange is what was under a hash.
type freshChange struct {
	side int
	hash hash
	key  freshKey
	was  bool
}

func newFresh() *fresh { return &fresh{sides: [2]map[hash]freshKey{{}, {}}} }

// begin begins a transaction.
func (f *fresh) begin() { f.undo, f.wasTo, f.wasMoving = f.undo[:0], f.to, f.moving }

// rollback has all as it was before the transaction.
func (f *fresh) rollback() {
	for _, c := range slices.Backward(f.undo) {
		if c.was {
			f.sides[c.side][c.hash] = c.key
		} else {
			delete(f.sides[c.side], c.hash)
		}
	}
	f.undo, f.to, f.moving = f.undo[:0], f.wasTo, f.wasMoving
}

// find returns the key under a hash, and on which side it is.
func (f *fresh) find(h hash) (k freshKey, side int, ok bool) {
	for side := range f.sides {
		if k, ok := f.sides[side][h]; ok {
			return k, side, true
		}
	}
	return freshKey{}, 0, false
}

func (f *fresh) add(h hash, k freshKey) {
	f.undo = append(f.undo, freshChange{side: f.to, hash: h})
	f.sides[f.to][h] = k
}

func (f *fresh) drop(side int, h hash) {
	f.undo = append(f.undo, freshChange{side, h, f.sides[side][h], true})
	delete(f.sides[side], h)
}

// turn has all that there are move, and new ones added to the other side.
func (f *fresh) turn() {
	all := make([]hash, 0, len(f.sides[f.to]))
	for h := range f.sides[f.to] {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	f.moving, f.to = all, 1-f.to
}

// putFresh adds a new key to those that are fresh.
func (b *batch) putFresh(h hash, r record) error {
	bucket := &b.freshes[b.fresh.to]
	if bucket.b == nil {
		if err := b.noteFormat(formatFresh); err != nil {
			return err
		}
		if err := bucket.create(b.tx); err != nil {
			return err
		}
		bucket.b.FillPercent = 1
	}
	seq, err := bucket.b.NextSequence()
	if err != nil {
		return err
	}
	k := seqKey(seq)
	n := len(b.arena)
	b.arena = append(b.arena, h[:]...)
	b.arena = r.append(b.arena)
	b.fresh.add(h, freshKey{seq, r.expiry, r.fp})
	return bucket.b.Put(k[:], b.arena[n:len(b.arena):len(b.arena)])
}

// dropFresh removes a key from those that are fresh. It reports false where it
// is none of them.
func (b *batch) dropFresh(h hash) (bool, error) {
	k, side, ok := b.fresh.find(h)
	if !ok {
		return false, nil
	}
	b.fresh.drop(side, h)
	at := seqKey(k.seq)
	return true, b.freshes[side].delete(at[:])
}

// moveFresh moves up to n fresh keys to their place, if there are enough of
// them.
func (b *batch) moveFresh(n, enough int) error {
	f := b.fresh
	if n == 0 {
		return nil
	}
	if len(f.moving) == 0 {
		if err := b.dropEmpty(); err != nil || len(f.sides[f.to]) < enough {
			return err
		}
		f.turn()
	}
	b.dirty = true
	n = min(n, len(f.moving))
	for _, h := range f.moving[:n] {
		k, ok := f.sides[1-f.to][h]
		if !ok { // it has expired, or was written anew
			continue
		}
		f.drop(1-f.to, h)
		start := len(b.arena)
		b.arena = k.record().append(b.arena)
		if err := b.keys.Put(h[:], b.arena[start:len(b.arena):len(b.arena)]); err != nil {
			return err
		}
	}
	last := f.moving[n-1]
	f.moving = f.moving[n:]
	return b.noteMoved(last[:])
}

// dropEmpty removes the buckets that no fresh key is in any more, while none
// moves.
func (b *batch) dropEmpty() error {
	for side := range b.freshes {
		if b.freshes[side].b == nil || len(b.fresh.sides[side]) > 0 {
			continue
		}
		b.dirty = true
		if err := errors.Join(b.freshes[side].drop(b.tx), b.noteMoved(nil)); err != nil {
			return err
		}
		if b.freshes[1-side].b == nil {
			return b.noteFormat(formatPlain)
		}
	}
	return nil
}

// noteMoved writes which side new keys are added to, and up to which hash those
// of the other one have moved.
func (b *batch) noteMoved(last []byte) error {
	n := len(b.arena)
	b.arena = append(b.arena, byte(b.fresh.to))
	b.arena = append(b.arena, last...)
	return b.tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFresh), b.arena[n:len(b.arena):len(b.arena)])
}

func (b *batch) noteFormat(version byte) error {
	return b.tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFormat), []byte{version})
}

// moveFresh moves about as many keys as it must so that they are gone before
// there are as many again, however many an operation adds; all of them, by and
// by, when the file is closed. What adds none writes nothing for it.
func (w *writer) moveFresh(b *batch) error {
	if w.closing {
		return b.moveFresh(flushAtOnce, 1)
	}
	return b.moveFresh(2*b.added, w.freshEnough)
}

// readFresh reads the fresh keys of a file.
func readFresh(db *bolt.DB) (f *fresh, err error) {
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) (err error) {
			f, err = loadFresh(tx)
			return err
		})
	})
	return f, err
}

func loadFresh(tx *bolt.Tx) (*fresh, error) {
	f := newFresh()
	var moved []byte
	if v := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyFresh)); v != nil {
		if len(v) != 1 && len(v) != 1+len(hash{}) || v[0] > 1 {
			return nil, fmt.Errorf("%w: where its fresh keys are is damaged", ErrFormat)
		}
		f.to, moved = int(v[0]), v[1:]
	}
	for side := range f.sides {
		bucket := tx.Bucket([]byte([2]string{bucketFresh, bucketFresh2}[side]))
		if bucket == nil {
			continue
		}
		f.kept = true
		if err := bucket.ForEach(func(k, v []byte) error {
			if len(k) != 8 || len(v) != len(hash{})+committedSize {
				return fmt.Errorf("%w: a fresh key is damaged", ErrFormat)
			}
			if side != f.to && bytes.Compare(v[:len(hash{})], moved) <= 0 {
				return nil
			}
			r, err := decodeRecord(v[len(hash{}):])
			if err != nil {
				return fmt.Errorf("%w: %w", ErrFormat, err)
			}
			f.sides[side][hash(v)] = freshKey{binary.BigEndian.Uint64(k), r.expiry, r.fp}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if from := 1 - f.to; len(f.sides[from]) > 0 {
		f.to = from
		f.turn()
	}
	return f, nil
}
