package embedded

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// Stats is what a DB holds.
type Stats struct {
	Ready, Dead, Keys int
	UsedBytes         int64 // of the file, less its free pages
	MaxBytes          int64
}

type counters struct{ ready, dead, keys, used atomic.Int64 }

func (c *counters) add(b *batch) {
	c.keys.Add(b.delta.keys)
	c.ready.Add(b.delta.ready)
	c.dead.Add(b.delta.dead)
}

// Stats answers from memory.
func (db *DB) Stats() Stats {
	return Stats{
		Ready: int(db.stats.ready.Load()), Dead: int(db.stats.dead.Load()), Keys: int(db.stats.keys.Load()),
		UsedBytes: db.stats.used.Load(), MaxBytes: db.maxSize.Load(),
	}
}

// checkFull compares what is used with the bound. The file itself never
// shrinks: what counts is the file less its free pages.
func (db *DB) checkFull(tx *bbolt.Tx) bool {
	s := tx.DB().Stats()
	used := tx.Size() - int64(s.FreePageN+s.PendingPageN)*int64(tx.DB().Info().PageSize)
	db.stats.used.Store(used)
	full := used >= db.maxSize.Load()/10*9
	if was := db.full.Swap(full); was != full {
		if full {
			db.logger.Error("no new events are taken: the data has reached 90 % of its bound", zap.Int64("used", used), zap.Int64("max_size", db.maxSize.Load()))
		} else {
			db.logger.Info("new events are taken again", zap.Int64("used", used), zap.Int64("max_size", db.maxSize.Load()))
		}
	}
	return full
}

func expired(expiryKey []byte, now time.Time) bool {
	return int64(binary.BigEndian.Uint64(expiryKey)) <= now.UnixMilli()
}

// Counts implements hook.Inspector.
func (db *DB) Counts(context.Context) (hook.Counts, error) {
	if err := db.usable(); err != nil {
		return hook.Counts{}, err
	}
	s := db.Stats()
	return hook.Counts{Ready: s.Ready, Dead: s.Dead}, nil
}
