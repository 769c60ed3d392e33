package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// The buckets.
var (
	bucketKeys   = []byte("keys")   // key -> record
	bucketExpiry = []byte("expiry") // time, key -> nothing
	bucketReady  = []byte("ready")  // sequence -> envelope
	bucketDead   = []byte("dead")   // sequence -> envelope
	bucketMeta   = []byte("meta")
)

var metaVersion = []byte("version")

// version is that of the layout. A file of a later one is not touched.
const version = 1

// key is the digest of a claim's key: short, and of one length.
type key [16]byte

func keyOf(s string) key {
	sum := sha256.Sum256([]byte(s))
	return key(sum[:16])
}

// record is what is kept under a key.
type record struct {
	committed   bool
	token       hook.Token // of a pending claim
	fingerprint hook.Fingerprint
	expires     int64 // Unix time in milliseconds
}

const recordSize = 1 + 16 + 32 + 8

func (r *record) encode() []byte {
	b := make([]byte, recordSize)
	if r.committed {
		b[0] = 1
	}
	copy(b[1:], r.token[:])
	copy(b[17:], r.fingerprint[:])
	binary.BigEndian.PutUint64(b[49:], uint64(r.expires))
	return b
}

func decodeRecord(b []byte) (record, bool) {
	if len(b) != recordSize || b[0] > 1 {
		return record{}, false
	}
	return record{
		committed:   b[0] == 1,
		token:       hook.Token(b[1:17]),
		fingerprint: hook.Fingerprint(b[17:49]),
		expires:     int64(binary.BigEndian.Uint64(b[49:])),
	}, true
}

func expiryKey(expires int64, k key) []byte {
	b := make([]byte, 8+len(k))
	binary.BigEndian.PutUint64(b, uint64(expires))
	copy(b[8:], k[:])
	return b
}

func sequenceKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// prepare makes the buckets and counts what is in them.
func (db *DB) prepare(bolt *bbolt.DB) error {
	return bolt.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		current := sequenceKey(version)
		switch found := meta.Get(metaVersion); {
		case found == nil:
			if err := meta.Put(metaVersion, current); err != nil {
				return err
			}
		case !bytes.Equal(found, current):
			return fmt.Errorf("was written by another version of Hookgate (layout %x, this one knows %d)", found, version)
		}
		for _, name := range [][]byte{bucketKeys, bucketExpiry, bucketReady, bucketDead} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		db.stats.keys.Store(int64(tx.Bucket(bucketKeys).Stats().KeyN))
		db.stats.ready.Store(int64(tx.Bucket(bucketReady).Stats().KeyN))
		db.stats.dead.Store(int64(tx.Bucket(bucketDead).Stats().KeyN))
		return nil
	})
}

var errCorrupt = errors.New("embedded: a record is damaged")

// batch is one transaction.
type batch struct {
	keys, expiry, ready, dead *bbolt.Bucket
	now                       time.Time
	full                      bool
	delta                     struct{ keys, ready, dead int64 } // to be counted when it is committed
}

func newBatch(tx *bbolt.Tx, now time.Time) *batch {
	b := &batch{
		keys: tx.Bucket(bucketKeys), expiry: tx.Bucket(bucketExpiry),
		ready: tx.Bucket(bucketReady), dead: tx.Bucket(bucketDead), now: now,
	}
	// Their keys only ascend: full pages save half the space.
	b.ready.FillPercent, b.dead.FillPercent = 0.95, 0.95
	return b
}

// get returns the record under a key, unless it has expired.
func (b *batch) get(k key) (r record, found bool, err error) {
	v := b.keys.Get(k[:])
	if v == nil {
		return record{}, false, nil
	}
	r, ok := decodeRecord(v)
	if !ok {
		return record{}, false, errCorrupt
	}
	return r, r.expires > b.now.UnixMilli(), nil
}

// put sets the record under a key, and when it expires.
func (b *batch) put(k key, r record) error {
	if old := b.keys.Get(k[:]); old != nil {
		if before, ok := decodeRecord(old); ok {
			if err := b.expiry.Delete(expiryKey(before.expires, k)); err != nil {
				return err
			}
		}
	} else {
		b.delta.keys++
	}
	if err := b.expiry.Put(expiryKey(r.expires, k), nil); err != nil {
		return err
	}
	return b.keys.Put(k[:], r.encode())
}

// remove frees a key.
func (b *batch) remove(k key, r record) error {
	b.delta.keys--
	if err := b.expiry.Delete(expiryKey(r.expires, k)); err != nil {
		return err
	}
	return b.keys.Delete(k[:])
}

// maxExpired is how many expired keys one transaction removes.
const maxExpired = 256

// expire removes keys that have expired.
func (b *batch) expire() error {
	var due [][]byte
	c := b.expiry.Cursor()
	for k, _ := c.First(); k != nil && len(due) < maxExpired; k, _ = c.Next() {
		if int64(binary.BigEndian.Uint64(k)) > b.now.UnixMilli() {
			break
		}
		due = append(due, bytes.Clone(k))
	}
	for _, k := range due {
		if err := b.expiry.Delete(k); err != nil {
			return err
		}
		if err := b.keys.Delete(k[8:]); err != nil {
			return err
		}
		b.delta.keys--
	}
	return nil
}

// append adds an envelope to the end of a bucket.
func appendTo(bucket *bbolt.Bucket, envelope []byte) error {
	seq, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	return bucket.Put(sequenceKey(seq), envelope)
}
