package embedded

import (
	"bytes"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// batch is a write transaction with what the operations in it share. Each sees
// what those before it did.
type batch struct {
	now    time.Time
	dirty  bool  // there is something to commit
	full   error // why nothing new is taken, nil when it is
	room   int64 // bytes until the store is full
	spare  int64 // bytes that a consumer's inbox may take though it is
	counts counts
	added  int    // keys that are new
	arena  []byte // records: bbolt keeps the slices until the commit

	tx                        *bolt.Tx
	keys, expiry, ready, dead *bolt.Bucket
	find                      *bolt.Cursor // in keys: one for all lookups
	handed, later, laterAt    lazy
	freshes                   [2]lazy
	fresh                     *fresh // what is in them
	nextDue                   int64  // not later than the first entry of the expiry index
	nextLater                 int64  // not later than the first event that is due later

	order                     // what the desk wants
	desk  *desk               // to ask whether an event is in work
	from  uint64              // not behind the first event that is ready and not in work
	freed map[uint64]struct{} // events that are not in work any more
	taken []taken             // events that are in work now
	given uint64              // the number of the last delivery
}

// open points the batch at a new transaction.
func (b *batch) open(tx *bolt.Tx) {
	b.tx = tx
	b.keys = tx.Bucket([]byte(bucketKeys))
	b.find = b.keys.Cursor()
	b.expiry = tx.Bucket([]byte(bucketExpiry))
	b.ready = tx.Bucket([]byte(bucketReady))
	b.dead = tx.Bucket([]byte(bucketDead))
	b.handed = lazily(tx, bucketHanded)
	b.later = lazily(tx, bucketLater)
	b.laterAt = lazily(tx, bucketLaterAt)
	b.freshes = [2]lazy{lazily(tx, bucketFresh), lazily(tx, bucketFresh2)}
	// These are appended to: a page that was split is not written to again.
	for _, l := range b.freshes {
		if l.b != nil {
			l.b.FillPercent = 1
		}
	}
	b.expiry.FillPercent = 0.95
	b.ready.FillPercent = 1
	b.dead.FillPercent = 1
}

// seal writes the counts.
func (b *batch) seal() error {
	n := len(b.arena)
	b.arena = b.counts.append(b.arena)
	m := len(b.arena)
	meta := b.tx.Bucket([]byte(bucketMeta))
	if err := meta.Put([]byte(keyCounts), b.arena[n:m:m]); err != nil || b.later.b == nil {
		return err
	}
	b.arena = binary.BigEndian.AppendUint64(b.arena, uint64(b.counts.later))
	return meta.Put([]byte(keyLater), b.arena[m:len(b.arena):len(b.arena)])
}

// lookup returns the record under a hash, and whether it is live. One that has
// expired is returned too: its place in the index must go with it.
func (b *batch) lookup(h hash) (old *record, live bool, err error) {
	if k, _, ok := b.fresh.find(h); ok {
		return k.record(), b.now.UnixMilli() < k.expiry, nil
	}
	k, v := b.find.Seek(h[:])
	if !bytes.Equal(k, h[:]) {
		return nil, false, nil
	}
	r, err := decodeRecord(v)
	if err != nil {
		return nil, false, err
	}
	return &r, b.now.UnixMilli() < r.expiry, nil
}

// put replaces the record old, nil for none, with r.
func (b *batch) put(h hash, old *record, r record) error {
	b.dirty = true
	if old == nil {
		b.counts.keys++
		b.added++
		b.room -= keyCost
	} else if old.expiry != r.expiry {
		k := newDue(old.expiry, h)
		if err := b.expiry.Delete(k[:]); err != nil {
			return err
		}
	}
	if old == nil || old.expiry != r.expiry {
		k := newDue(r.expiry, h)
		if err := b.expiry.Put(k[:], nil); err != nil {
			return err
		}
		b.nextDue = min(b.nextDue, r.expiry)
	}
	if old == nil && r.state == hook.Committed {
		return b.putFresh(h, r)
	}
	if _, err := b.dropFresh(h); err != nil {
		return err
	}
	n := len(b.arena)
	b.arena = r.append(b.arena)
	return b.keys.Put(h[:], b.arena[n:len(b.arena):len(b.arena)])
}

// remove deletes the record old.
func (b *batch) remove(h hash, old *record) error {
	b.dirty = true
	b.counts.keys--
	k := newDue(old.expiry, h)
	if err := b.expiry.Delete(k[:]); err != nil {
		return err
	}
	if was, err := b.dropFresh(h); was || err != nil {
		return err
	}
	return b.keys.Delete(h[:])
}

// commit marks a key as committed, whatever it was before.
func (b *batch) commit(c *claim, old *record) error {
	return b.put(c.hash, old, record{state: hook.Committed, expiry: millis(b.now.Add(c.ttl)), fp: c.fp})
}

// enqueue appends the event of an operation to its queue.
func (b *batch) enqueue(o *op) (err error) {
	b.room -= int64(len(o.env)) + eventCost
	if o.dead {
		o.ref.seq, err = b.append(b.dead, &b.counts.dead, o.env)
	} else {
		o.ref.seq, err = b.append(b.ready, &b.counts.ready, o.env)
	}
	return err
}

// append puts an event behind all others of a queue, and returns its place.
func (b *batch) append(q *bolt.Bucket, n *int64, env []byte) (seq uint64, err error) {
	if seq, err = q.NextSequence(); err != nil {
		return 0, err
	}
	k := seqKey(seq)
	b.dirty = true
	*n++
	return seq, q.Put(k[:], env)
}

// What a key and an event take beside their content, in bytes, roughly: how
// much it really was is measured after the transaction.
const (
	keyCost   = 160
	eventCost = 64
)

// refusal returns nil, or why nothing new is taken.
func (b *batch) refusal() error {
	if b.full != nil {
		return b.full
	}
	if b.room <= 0 {
		return ErrFull
	}
	return nil
}
