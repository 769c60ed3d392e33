package embedded

import (
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// fileSlack is how far the file may grow beyond its bound: bbolt grows it in
// steps of 16 MiB, and settling must go on when the bound is reached.
const fileSlack = 64 << 20

// Stats are numbers about a DB, from memory.
type Stats struct {
	Ready      int           // events that wait to be processed
	Due        int           // events that are tried again later
	InWork     int           // events that were taken to be processed
	Dead       int           // dead letters
	Keys       int           // keys of claims, pending and committed
	UsedBytes  int64         // of the file, without its free pages
	FileBytes  int64         // size of the file
	MaxBytes   int64         // the bound on UsedBytes
	Batches    uint64        // transactions committed since Start
	Operations uint64        // operations in them
	CommitTime time.Duration // time spent in committing them
}

// gauges are the numbers that change while the store works.
type gauges struct {
	ready, dead, keys   atomic.Int64 // ready: with those in work
	later               atomic.Int64
	used, file          atomic.Int64
	maxBytes, ceiling   atomic.Int64
	batches, operations atomic.Uint64
	commitTime          atomic.Int64
}

// Stats returns the current numbers. It answers from memory.
func (d *DB) Stats() Stats {
	return Stats{
		Ready:      d.waiting(),
		Due:        int(d.later.Load()),
		InWork:     int(d.desk.held.Load()),
		Dead:       int(d.dead.Load()),
		Keys:       int(d.keys.Load()),
		UsedBytes:  d.used.Load(),
		FileBytes:  d.file.Load(),
		MaxBytes:   d.maxBytes.Load(),
		Batches:    d.batches.Load(),
		Operations: d.operations.Load(),
		CommitTime: time.Duration(d.commitTime.Load()),
	}
}

// waiting returns how many events are ready and not in work.
func (d *DB) waiting() int { return int(max(0, d.ready.Load()-d.desk.held.Load())) }

// SetMaxSize changes the bound, in bytes, while the file stays open. 0 and
// less mean DefaultMaxSize.
func (d *DB) SetMaxSize(n int64) {
	if n <= 0 {
		n = DefaultMaxSize
	}
	d.setBound(n)
	d.noteFull()
}

// setBound sets the bound, and with it how large the file may get at all. A
// file that is larger already keeps room to settle what is in it.
func (d *DB) setBound(n int64) {
	d.maxBytes.Store(n)
	floor := max(n, d.file.Load())
	d.ceiling.Store(min(floor, math.MaxInt-fileSlack) + fileSlack)
}

// limit is where new events begin to be refused: 90 % of the bound.
func (d *DB) limit() int64 { return d.maxBytes.Load() / 10 * 9 }

// spare is how many bytes the inbox of a consumer may take though the store is
// full. The last of the file, and of a disk that has no space, is for what
// settles.
func (d *DB) spare(space bool) int64 {
	if !space {
		return 0
	}
	return d.ceiling.Load() - fileSlack/2 - d.used.Load()
}

// fullness returns nil, or ErrFull with the details.
func (d *DB) fullness() error {
	if used := d.used.Load(); used >= d.limit() {
		return fmt.Errorf("%w: %d of %d bytes are used", ErrFull, used, d.maxBytes.Load())
	}
	if d.noRoom.Load() {
		return fmt.Errorf("%w: the disk has no space left, or the file cannot grow", ErrFull)
	}
	return nil
}

// noteFull logs when the store has become full, or has room again.
func (d *DB) noteFull() {
	if d.phase.Load() != phaseRunning {
		return
	}
	err := d.fullness()
	switch was := d.full.Swap(err != nil); {
	case err != nil && !was:
		d.log.Warn("embedded store refuses new events", zap.Error(err))
	case err == nil && was:
		d.log.Info("embedded store has room again", zap.Int64("used", d.used.Load()), zap.Int64("max", d.maxBytes.Load()))
	}
}

// measure finds out how much of the file is in use.
func (d *DB) measure() error {
	tx, err := d.bolt.Begin(false)
	if err != nil {
		return err
	}
	size := tx.Size() // up to the last page that was ever used
	if err := tx.Rollback(); err != nil {
		return err
	}
	s := d.bolt.Stats()
	d.used.Store(size - int64(s.FreePageN+s.PendingPageN)*int64(d.bolt.Info().PageSize))
	if size > d.file.Load() {
		fi, err := os.Stat(d.path)
		if err != nil {
			return err
		}
		d.file.Store(fi.Size())
	}
	return nil
}
