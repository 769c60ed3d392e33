package embedded

import (
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
	counts counts
	arena  []byte // records: bbolt keeps the slices until the commit

	tx                        *bolt.Tx
	keys, expiry, ready, dead *bolt.Bucket
	nextDue                   int64 // not later than the first entry of the expiry index
}

// open points the batch at a new transaction.
func (b *batch) open(tx *bolt.Tx) {
	b.tx = tx
	b.keys = tx.Bucket([]byte(bucketKeys))
	b.expiry = tx.Bucket([]byte(bucketExpiry))
	b.ready = tx.Bucket([]byte(bucketReady))
	b.dead = tx.Bucket([]byte(bucketDead))
	// These are appended to: a page that was split is not written to again.
	b.expiry.FillPercent = 0.95
	b.ready.FillPercent = 1
	b.dead.FillPercent = 1
}

// seal writes the counts.
func (b *batch) seal() error {
	n := len(b.arena)
	b.arena = b.counts.append(b.arena)
	return b.tx.Bucket([]byte(bucketMeta)).Put([]byte(keyCounts), b.arena[n:])
}

// lookup returns the record under a hash, and whether it is live. One that has
// expired is returned too: its place in the index must go with it.
func (b *batch) lookup(h hash) (old *record, live bool, err error) {
	v := b.keys.Get(h[:])
	if v == nil {
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
	return b.keys.Delete(h[:])
}

// commit marks a key as committed, whatever it was before.
func (b *batch) commit(c *claim, old *record) error {
	return b.put(c.hash, old, record{state: hook.Committed, expiry: millis(b.now.Add(c.ttl)), fp: c.fp})
}

// enqueue appends the event of an operation to its queue.
func (b *batch) enqueue(o *op) error {
	q, n := b.ready, &b.counts.ready
	if o.dead {
		q, n = b.dead, &b.counts.dead
	}
	seq, err := q.NextSequence()
	if err != nil {
		return err
	}
	var k [8]byte
	binary.BigEndian.PutUint64(k[:], seq)
	b.dirty = true
	b.room -= int64(len(o.env)) + eventCost
	*n++
	return q.Put(k[:], o.env)
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
