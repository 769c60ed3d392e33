package embedded

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// maxSettling is how many letters of a sweep are sent or removed at once: they
// share transactions.
const maxSettling = 128

var errNoEvent = errors.New("embedded: a letter is to be sent, and there is no event")

// Sweep implements hook.DeadLetters. It goes over the letters that are there
// when it begins, in short transactions, while events are accepted and
// processed. A sweep that finds another one waits for its end. Letters are sent
// in a full store too: each takes the place of its own.
//
// A letter that cannot be read is kept; the sweep goes on, and names it in its
// error.
func (d *DB) Sweep(ctx context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	select {
	case d.sweeping <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.sweeping }()
	if err := d.readable(); err != nil {
		return err
	}
	last, err := d.lastLetter()
	if err != nil {
		return err
	}
	s := sweep{db: d, fn: fn, last: last}
	return errors.Join(s.run(ctx), s.settled(0), errors.Join(s.damaged...))
}

// Count implements hook.DeadLetters. It answers from memory.
func (d *DB) Count(ctx context.Context) (int, error) {
	c, err := d.Counts(ctx)
	return c.Dead, err
}

// lastLetter returns the sequence of the newest letter.
func (d *DB) lastLetter() (seq uint64, err error) {
	err = guard(func() error {
		return d.bolt.View(func(tx *bolt.Tx) error {
			seq = tx.Bucket([]byte(bucketDead)).Sequence()
			return nil
		})
	})
	if err != nil {
		err = fmt.Errorf("embedded: %w", err)
	}
	return seq, err
}

// sweep is a sweep under way.
type sweep struct {
	db      *DB
	fn      func(*hook.DeadLetter) hook.Verdict
	last    uint64  // the letter to end with
	open    []*op   // handed to the writer, the oldest first
	damaged []error // letters that cannot be read
}

// run asks for a verdict on each letter.
func (s *sweep) run(ctx context.Context) error {
	for l := (look{bucket: bucketDead, more: true}); l.more; {
		letters, err := s.db.read(&l, chunkEntries)
		if bad, ok := errors.AsType[*hook.Damaged](err); ok {
			if bad.Seq > s.last {
				return nil
			}
			s.damaged = append(s.damaged, &hook.Unreadable{Err: err})
			l.after, l.more = bad.Seq, true
			continue
		}
		if err != nil {
			return err
		}
		for i := range letters {
			if letters[i].Seq > s.last {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if goOn, err := s.judge(ctx, &letters[i]); err != nil || !goOn {
				return err
			}
		}
	}
	return nil
}

// judge does what fn says about a letter, and reports whether the sweep goes
// on.
func (s *sweep) judge(ctx context.Context, e *hook.Entry) (goOn bool, err error) {
	letter := &hook.DeadLetter{ID: hook.LetterID(e.Event), Event: e.Event}
	if e.Fault != nil {
		letter.Fault = *e.Fault
	}
	v := s.fn(letter)
	switch v.Do {
	case hook.Send:
		if v.Event == nil {
			return false, errNoEvent
		}
		o, err := s.db.newEventOp((*batch).resend, v.Event, nil)
		if err != nil {
			return false, err
		}
		return true, s.submit(ctx, o, e.Seq)
	case hook.Discard:
		return true, s.submit(ctx, s.db.newOp((*batch).discard), e.Seq)
	case hook.Stop:
		return false, nil
	}
	return true, nil
}

// submit hands an operation on a letter to the writer. It does not wait for the
// outcome, so that many share a transaction, and none is late where fn takes
// its time.
func (s *sweep) submit(ctx context.Context, o *op, seq uint64) error {
	o.ref.seq = seq
	if err := s.settled(maxSettling - 1); err != nil {
		return err
	}
	if err := s.db.submit(ctx, o); err != nil {
		return err
	}
	s.open = append(s.open, o)
	return nil
}

// settled waits until not more than n operations are under way. It returns the
// first error of all that it has waited for.
func (s *sweep) settled(n int) (first error) {
	for len(s.open) > n {
		o := s.open[0]
		s.open = s.open[1:]
		free, err := s.db.await(context.Background(), o) // the writer has it: the end of a sweep does not undo it
		if free {
			s.db.recycle(o)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// resend puts an event into the queue and removes the letter that it was.
func (b *batch) resend(o *op) error {
	gone, err := b.removeLetter(o.ref.seq)
	if err != nil || gone {
		return err
	}
	_, err = b.append(b.ready, &b.counts.ready, o.env)
	return err
}

// discard removes a letter.
func (b *batch) discard(o *op) error {
	_, err := b.removeLetter(o.ref.seq)
	return err
}

// removeLetter removes a letter, if it is not gone.
func (b *batch) removeLetter(seq uint64) (gone bool, err error) {
	k := seqKey(seq)
	if b.dead.Get(k[:]) == nil {
		return true, nil
	}
	b.dirty = true
	b.counts.dead--
	return false, b.dead.Delete(k[:])
}

// Interface guard
var _ hook.DeadLetters = (*DB)(nil)
