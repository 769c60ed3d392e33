package embedded

import (
	"errors"
	"io/fs"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// outcome is what became of a transaction.
type outcome uint8

const (
	committed outcome = iota // on disk, or there was nothing to write
	failed                   // nothing was written
	noSpace                  // nothing was written: the disk is full, or the file at its end
	inDoubt                  // nobody knows; the store is marked bad
)

// transact does the operations in one transaction, and what the desk wants
// beside unless there is no space. full is why nothing new may be taken, nil
// when it may.
func (w *writer) transact(ops []*op, full error, space bool) (outcome, error) {
	b := &batch{
		now:       w.now(),
		full:      full,
		room:      w.limit() - w.used.Load(),
		spare:     w.spare(space),
		counts:    w.loadCounts(),
		arena:     w.arena[:0],
		nextDue:   w.nextDue,
		nextLater: w.nextLater,
		desk:      w.desk,
		freed:     w.freed,
		given:     w.given,
		fresh:     w.fresh,
	}
	w.fresh.begin()
	clear(b.freed)
	b.order = w.desk.order(b.now, w.closing)
	w.back = append(w.back, b.order.back...)
	w.from = min(w.from, b.order.first)
	b.from = w.from
	out, err := w.update(func(tx *bolt.Tx) (bool, error) {
		err := b.apply(tx, ops, w.back, space)
		if err == nil && space {
			err = w.moveFresh(b)
		}
		if err == nil && b.dirty {
			err = b.seal()
		}
		return b.dirty, err
	})
	if out != committed {
		w.fresh.rollback()
		return out, err
	}
	w.arena, w.nextDue, w.nextLater = b.arena, b.nextDue, b.nextLater
	w.from, w.given = b.from, b.given
	w.fresh.kept = b.freshes[0].b != nil || b.freshes[1].b != nil
	if space {
		w.back = nil
	}
	if b.dirty {
		w.storeCounts(b.counts)
		w.operations.Add(uint64(len(ops)))
	}
	w.desk.done(b.freed, b.taken) // hands out: all else is as it will be seen
	return committed, nil
}

// apply does the operations in the transaction, and removes expired keys. What
// the desk wants comes last: an event may be taken in the transaction that has
// brought it.
func (b *batch) apply(tx *bolt.Tx, ops []*op, back []taken, space bool) error {
	b.open(tx)
	if space {
		if err := b.handBack(back); err != nil {
			return err
		}
		if err := b.ripen(); err != nil {
			return err
		}
	}
	for _, o := range ops {
		o.reset()
		if err := o.run(b, o); err != nil {
			return err
		}
	}
	limit := maxSweep
	if len(ops) > 0 { // somebody waits: a little more than comes in
		limit = max(min(2*len(ops), maxSweep), b.added) + 32
	}
	if err := b.sweep(limit); err != nil {
		return err
	}
	if space {
		return b.take()
	}
	return nil
}

// update commits what apply did in a transaction, if it reports that it wrote
// something.
func (w *writer) update(apply func(*bolt.Tx) (dirty bool, err error)) (outcome, error) {
	w.bolt.MaxSize = int(w.ceiling.Load()) // read by this goroutine only
	tx, err := w.bolt.Begin(true)
	if err != nil {
		w.markBad(err)
		return failed, err
	}
	// After a commit this does nothing. After a panic it may panic too.
	defer func() { _ = guard(tx.Rollback) }()

	var (
		dirty   bool
		applied error
	)
	if err := guard(func() error { dirty, applied = apply(tx); return nil }); err != nil {
		w.markBad(err)
		return failed, err
	}
	if applied != nil {
		return failed, applied
	}
	if !dirty {
		return committed, nil
	}
	id := tx.ID()
	begin := time.Now()
	if err := guard(func() error { return w.commit(tx) }); err != nil {
		return w.notCommitted(id, err)
	}
	w.batches.Add(1)
	w.commitTime.Add(int64(time.Since(begin)))
	if err := w.measure(); err != nil {
		w.markBad(err) // this one is on disk, the next would not be
	}
	w.noteFull()
	return committed, nil
}

// notCommitted finds out what became of a transaction whose commit failed.
func (w *writer) notCommitted(id int, err error) (outcome, error) {
	if outOfSpace(err) && !w.landed(id) {
		w.noRoom.Store(true)
		w.noteFull()
		return noSpace, w.fullness()
	}
	w.markBad(err)
	return inDoubt, err
}

// outOfSpace reports whether a commit failed because there was no space, while
// bbolt wrote pages that nothing refers to yet. An error of fsync never is:
// the kernel may have dropped what it could not write.
func outOfSpace(err error) bool {
	if errors.Is(err, bolterrors.ErrMaxSizeReached) { // found before a page is written
		return true
	}
	pe, ok := errors.AsType[*fs.PathError](err)
	return ok && pe.Op == "write" && (errors.Is(pe.Err, syscall.ENOSPC) || errors.Is(pe.Err, syscall.EDQUOT))
}

// landed reports whether the file's meta page names the transaction, or cannot
// be read.
func (w *writer) landed(id int) bool {
	landed := true
	err := guard(func() error {
		return w.bolt.View(func(tx *bolt.Tx) error {
			landed = tx.ID() >= id
			return nil
		})
	})
	return landed || err != nil
}
