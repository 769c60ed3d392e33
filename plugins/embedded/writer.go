package embedded

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// write is the one goroutine that writes. It ends when ops is closed and
// empty.
func (db *DB) write(bolt *bbolt.DB) {
	defer close(db.done)
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	group := make([]*op, 0, maxBatch)
	for {
		group = group[:0]
		select {
		case o, open := <-db.ops:
			if !open {
				return
			}
			group = append(group, o)
		case <-ticker.C:
			if !db.sweepDue(bolt) {
				continue
			}
		}
		db.transact(bolt, db.collect(group))
	}
}

// collect adds what waits to a group, without waiting itself.
func (db *DB) collect(group []*op) []*op {
	for len(group) < maxBatch {
		select {
		case o, open := <-db.ops:
			if !open {
				return group
			}
			group = append(group, o)
		default:
			return group
		}
	}
	return group
}

// transact does a group of operations in one transaction. What an operation
// finds wrong is its own affair; what fails as a whole, fails for all.
func (db *DB) transact(bolt *bbolt.DB, group []*op) {
	live := group[:0]
	for _, o := range group {
		if o.fate.CompareAndSwap(waiting, taken) {
			live = append(live, o)
		}
	}
	finish := func(err error) {
		for _, o := range live {
			if err != nil {
				o.err = err
			}
			close(o.done)
		}
	}
	if bad := db.bad.Load(); bad != nil {
		finish(unavailable(*bad))
		return
	}
	tx, err := bolt.Begin(true)
	if err != nil {
		finish(unavailable(err))
		return
	}
	b := newBatch(tx, db.now())
	b.full = db.checkFull(tx)
	if err := db.apply(b, live); err != nil {
		_ = tx.Rollback()
		finish(unavailable(err))
		return
	}
	if err := db.commit(tx); err != nil {
		_ = tx.Rollback()
		err = fmt.Errorf("embedded: writing %s failed, restart once the disk is mended: %w", db.path, err)
		db.bad.Store(&err)
		db.logger.Error("the store cannot be trusted any more", zap.Error(err))
		finish(errDoubt(err))
		return
	}
	db.stats.add(b)
	finish(nil)
}

// apply does the operations. An error of one is kept with it: it had no effect
// but on its own key. An error of the database itself ends all.
func (db *DB) apply(b *batch, live []*op) error {
	if err := b.expire(); err != nil {
		return err
	}
	for _, o := range live {
		o.err = o.do(b, o)
	}
	return nil
}

// sweepDue reports whether there is anything to remove.
func (db *DB) sweepDue(bolt *bbolt.DB) (due bool) {
	if db.bad.Load() != nil {
		return false
	}
	_ = bolt.View(func(tx *bbolt.Tx) error { // fails only when closed
		k, _ := tx.Bucket(bucketExpiry).Cursor().First()
		due = k != nil && expired(k, db.now())
		db.checkFull(tx)
		return nil
	})
	return due
}
