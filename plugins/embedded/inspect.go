package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

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
	return hook.Counts{Ready: int(d.ready.Load()), Dead: int(d.dead.Load())}, nil
}

// Peek implements hook.Inspector. It also looks into a store that is full or
// marked bad.
func (d *DB) Peek(ctx context.Context, s hook.QueueState, after uint64, limit int) ([]hook.Entry, error) {
	bucket := ""
	switch s {
	case hook.StateReady:
		bucket = bucketReady
	case hook.StateDead:
		bucket = bucketDead
	default:
		return nil, fmt.Errorf("embedded: there is no state %q", s)
	}
	if err := d.readable(); err != nil {
		return nil, err
	}
	var entries []hook.Entry
	for more := true; more && len(entries) < limit && after < math.MaxUint64; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var chunk []hook.Entry
		err := guard(func() (err error) {
			return d.bolt.View(func(tx *bolt.Tx) error {
				chunk, more, err = readChunk(tx.Bucket([]byte(bucket)), after, limit-len(entries))
				return err
			})
		})
		if err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
		entries = append(entries, chunk...)
		if len(chunk) > 0 {
			after = chunk[len(chunk)-1].Seq
		}
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

// readChunk reads entries with a sequence above after, and reports whether
// there may be more. Nothing of what it returns is memory of the file.
func readChunk(b *bolt.Bucket, after uint64, limit int) (entries []hook.Entry, more bool, err error) {
	var from [8]byte
	binary.BigEndian.PutUint64(from[:], after+1)
	size := 0
	c := b.Cursor()
	for k, v := c.Seek(from[:]); k != nil; k, v = c.Next() {
		if len(entries) >= min(limit, chunkEntries) || size >= chunkBytes {
			return entries, true, nil
		}
		if len(k) != 8 {
			return nil, false, fmt.Errorf("the queue has a key of %d bytes", len(k))
		}
		e, err := decodeEnvelope(v)
		if err != nil {
			return nil, false, fmt.Errorf("entry %d: %w", binary.BigEndian.Uint64(k), err)
		}
		e.Seq = binary.BigEndian.Uint64(k)
		entries = append(entries, e)
		size += len(v)
	}
	return entries, false, nil
}
