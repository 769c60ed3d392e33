package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// A look at the queue reads this much in a transaction: a long one would keep
// the writer from using free pages again.
const (
	chunkEntries = 128
	chunkBytes   = 4 << 20
)

// Counts implements hook.Inspector. It answers from memory.
func (d *DB) Counts(ctx context.Context) (hook.Counts, error) {
	if err := ctx.Err(); err != nil {
		return hook.Counts{}, err
	}
	if err := d.readable(); err != nil {
		return hook.Counts{}, err
	}
	s := d.Stats()
	return hook.Counts{Ready: s.Ready, Due: s.Due, InWork: s.InWork, Dead: s.Dead, Tells: true}, nil
}

// Peek implements hook.Inspector. It also looks into a store that is full or
// marked bad.
func (d *DB) Peek(ctx context.Context, s hook.QueueState, after uint64, limit int) ([]hook.Entry, error) {
	l := look{after: after}
	switch s {
	case hook.StateReady:
		l.bucket, l.without = bucketReady, d.desk.inWork()
	case hook.StateDue:
		l.bucket = bucketLater
	case hook.StateInWork:
		l.bucket, l.only = bucketReady, d.desk.inWork()
		if len(l.only) == 0 {
			return nil, d.readable()
		}
	case hook.StateDead:
		l.bucket = bucketDead
	default:
		return nil, fmt.Errorf("embedded: there is no state %q", s)
	}
	if err := d.readable(); err != nil {
		return nil, err
	}
	var entries []hook.Entry
	for more := true; more && len(entries) < limit; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		chunk, err := d.read(&l, limit-len(entries))
		if err != nil {
			return nil, err
		}
		entries = append(entries, chunk...)
		more = l.more
	}
	return entries, nil
}

// look is a way through a bucket.
type look struct {
	bucket  string
	after   uint64   // the last sequence that was passed
	only    []uint64 // ascending; nil for all
	without []uint64 // ascending
	more    bool     // there may be more
}

// read reads the next chunk in a transaction of its own.
func (d *DB) read(l *look, limit int) (entries []hook.Entry, err error) {
	err = guard(func() error {
		return d.bolt.View(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(l.bucket))
			if l.more = b != nil && l.after < math.MaxUint64; !l.more {
				return nil
			}
			entries, err = l.read(b, limit)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return entries, nil
}

// readable returns why the file cannot be read.
func (d *DB) readable() error {
	switch d.phase.Load() {
	case phaseNew:
		return unavailable(ErrNotStarted)
	case phaseClosed:
		return unavailable(ErrClosed)
	}
	return nil
}

// read reads the next entries. Nothing of what it returns is memory of the
// file.
func (l *look) read(b *bolt.Bucket, limit int) (entries []hook.Entry, err error) {
	size := 0
	c := b.Cursor()
	from := seqKey(l.next(l.after + 1))
	for k, v := c.Seek(from[:]); k != nil; {
		if len(entries) >= min(limit, chunkEntries) || size >= chunkBytes {
			return entries, nil
		}
		if len(k) != 8 {
			return nil, fmt.Errorf("the queue has a key of %d bytes", len(k))
		}
		seq := binary.BigEndian.Uint64(k)
		if l.shows(seq) {
			e, err := decodeEnvelope(v)
			switch {
			case err != nil && len(entries) > 0: // it comes first next time
				return entries, nil
			case err != nil:
				return nil, &hook.Damaged{Seq: seq, Err: err}
			}
			e.Seq = seq
			entries = append(entries, e)
			size += len(v)
		}
		l.after = seq
		if l.only == nil {
			k, v = c.Next()
		} else {
			from = seqKey(l.next(seq + 1))
			k, v = c.Seek(from[:])
		}
	}
	l.more = false
	return entries, nil
}

// next returns the first sequence from seq on that may be shown.
func (l *look) next(seq uint64) uint64 {
	if l.only == nil {
		return seq
	}
	if i, _ := slices.BinarySearch(l.only, seq); i < len(l.only) {
		return l.only[i]
	}
	return math.MaxUint64
}

// shows reports whether an entry is looked for.
func (l *look) shows(seq uint64) bool {
	if _, found := slices.BinarySearch(l.without, seq); found {
		return false
	}
	_, found := slices.BinarySearch(l.only, seq)
	return found || l.only == nil
}
