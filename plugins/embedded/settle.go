package embedded

// What ends a delivery, as operations of the writer. Each is one of a
// transaction: an event is never in two places and never in none.

// letGo reports whether the delivery of an operation can still be settled, and
// settles it. One that cannot, because it was settled, or is gone and its event
// with somebody else, is an error of the caller.
func (b *batch) letGo(o *op) bool {
	if _, freed := b.freed[o.ref.seq]; freed || !b.desk.holds(o.ref) {
		o.err = ErrSettled
		return false
	}
	b.freed[o.ref.seq] = struct{}{}
	b.slots++
	return true
}

// processed removes an event.
func (b *batch) processed(o *op) error {
	if !b.letGo(o) {
		return nil
	}
	return b.removeReady(o.ref.seq)
}

// tryLater puts an event away with a new envelope, or has it ready at once.
func (b *batch) tryLater(o *op) error {
	if !b.letGo(o) {
		return nil
	}
	if err := b.removeReady(o.ref.seq); err != nil {
		return err
	}
	if o.due > millis(b.now) {
		return b.postpone(o.ref.seq, o.due, o.delay, o.env)
	}
	k := seqKey(o.ref.seq)
	b.counts.ready++
	b.from = min(b.from, o.ref.seq)
	return b.ready.Put(k[:], o.env)
}

// bury makes a dead letter of an event.
func (b *batch) bury(o *op) error {
	if !b.letGo(o) {
		return nil
	}
	if err := b.removeReady(o.ref.seq); err != nil {
		return err
	}
	_, err := b.append(b.dead, &b.counts.dead, o.env)
	return err
}

// giveBack has an event as it was before it was handed out.
func (b *batch) giveBack(o *op) error {
	if !b.letGo(o) {
		return nil
	}
	b.from = min(b.from, o.ref.seq)
	return b.setHandedOut(o.ref.seq, o.before)
}
