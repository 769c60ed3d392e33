package embedded

import "math"

// maxSweep is how many expired keys a transaction removes, or a few more than
// it adds: they are all over the file, and those who wait for the transaction
// should not notice.
const maxSweep = 256

// sweep removes up to limit expired keys.
func (b *batch) sweep(limit int) error {
	for now := millis(b.now); limit > 0 && b.nextDue <= now; limit -= maxSweep {
		if err := b.sweepSome(limit, now); err != nil {
			return err
		}
	}
	return nil
}

// sweepSome removes up to limit expired keys, and maxSweep.
func (b *batch) sweepSome(limit int, now int64) error {
	var (
		expired [maxSweep]due
		n       int
	)
	b.nextDue = math.MaxInt64
	c := b.expiry.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if d := due(k); n < limit && n < maxSweep && d.expiry() <= now {
			expired[n] = d
			n++
			continue
		}
		b.nextDue = due(k).expiry()
		break
	}
	for _, k := range expired[:n] {
		if err := b.expire(k); err != nil {
			return err
		}
	}
	return nil
}

// expire removes an entry of the index and its key. Where the two do not
// belong together it removes the entry alone, so that the sweep goes on.
func (b *batch) expire(k due) error {
	b.dirty = true
	h := k.hash()
	old, _, err := b.lookup(h)
	if err == nil && old != nil && old.expiry == k.expiry() {
		return b.remove(h, old)
	}
	return b.expiry.Delete(k[:])
}
