package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// Peek implements hook.Inspector. It reads in one short transaction and copies:
// a long one would keep pages from being used again.
func (db *DB) Peek(ctx context.Context, s hook.QueueState, after uint64, limit int) ([]hook.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := db.usable(); err != nil {
		return nil, err
	}
	name := bucketReady
	if s == hook.StateDead {
		name = bucketDead
	}
	var raw []rawEntry
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(name).Cursor()
		for k, v := c.Seek(sequenceKey(after + 1)); k != nil && len(raw) < limit; k, v = c.Next() {
			raw = append(raw, rawEntry{binary.BigEndian.Uint64(k), bytes.Clone(v)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	entries := make([]hook.Entry, len(raw))
	for i, r := range raw {
		ev, fault, err := decodeEnvelope(r.envelope)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", r.seq, err)
		}
		entries[i] = hook.Entry{Seq: r.seq, At: ev.ReceivedAt, Event: ev, Fault: fault}
	}
	return entries, nil
}

type rawEntry struct {
	seq      uint64
	envelope []byte
}
