package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/hookgate/hookgate/hook"
)

// deliveryLimit is how often an event is handed out again after it was not
// settled. Then it is what ends those who have it, and becomes a dead letter.
const deliveryLimit = 20

// maxMoved is how many events a transaction moves at most beside the operations
// that somebody waits for.
const maxMoved = 256

// take takes ready events for those who ask, the oldest first. The count of how
// often an event was handed out goes up before it is: what crashes the process
// is counted. After a crash that is all there is to do; the event is ready.
func (b *batch) take() error {
	if !b.demand || b.slots <= 0 || b.counts.ready <= int64(b.held-len(b.freed)) {
		return nil
	}
	var (
		poison []uint64
		size   int
		from   = seqKey(b.from)
	)
	c := b.ready.Cursor()
	for k, v := c.Seek(from[:]); k != nil; k, v = c.Next() {
		if len(b.taken) >= b.slots || len(poison) >= maxMoved || size >= chunkBytes {
			break
		}
		if len(k) != 8 {
			continue
		}
		seq := binary.BigEndian.Uint64(k)
		b.from = seq + 1
		if _, free := b.freed[seq]; !free && b.desk.isInWork(seq) {
			continue
		}
		before := b.handedOut(seq)
		if before > deliveryLimit {
			poison = append(poison, seq)
			continue
		}
		b.given++
		b.taken = append(b.taken, taken{ref{seq, b.given}, before, bytes.Clone(v)})
		size += len(v)
	}
	for _, t := range b.taken {
		if err := b.setHandedOut(t.seq, t.before+1); err != nil {
			return err
		}
	}
	for _, seq := range poison {
		if err := b.poison(seq); err != nil {
			return err
		}
	}
	return nil
}

// handedOut returns how often an event was handed out and not settled.
func (b *batch) handedOut(seq uint64) int {
	k := seqKey(seq)
	if v := b.handed.get(k[:]); len(v) == 4 {
		return int(binary.BigEndian.Uint32(v))
	}
	return 0
}

// setHandedOut notes how often an event was handed out and not settled.
func (b *batch) setHandedOut(seq uint64, n int) error {
	k := seqKey(seq)
	b.dirty = true
	if n <= 0 {
		return b.handed.delete(k[:])
	}
	start := len(b.arena)
	b.arena = binary.BigEndian.AppendUint32(b.arena, uint32(n))
	return b.handed.put(b.tx, k[:], b.arena[start:len(b.arena):len(b.arena)])
}

// handBack makes events that were never given to anybody as they were.
func (b *batch) handBack(ts []taken) error {
	for _, t := range ts {
		if err := b.setHandedOut(t.seq, t.before); err != nil {
			return err
		}
		b.freed[t.seq] = struct{}{}
		b.from = min(b.from, t.seq)
	}
	return nil
}

// poison makes a dead letter of an event that was handed out too often. One
// that cannot be read stays, and is passed over.
func (b *batch) poison(seq uint64) error {
	k := seqKey(seq)
	e, err := decodeEnvelope(b.ready.Get(k[:]))
	if err != nil {
		return nil
	}
	f := sinceFirst(hook.Fault{
		Kind:    hook.KindPoison,
		Message: fmt.Sprintf("handed out %d times, and its consumer ended each time", deliveryLimit+1),
		Attempt: e.Event.Attempt,
	}, e.Fault, b.now)
	env, err := appendEnvelope(nil, b.now, e.Event, &f)
	if err != nil {
		return nil
	}
	if err := b.removeReady(seq); err != nil {
		return err
	}
	_, err = b.append(b.dead, &b.counts.dead, env)
	return err
}

// removeReady removes an event and the count of how often it was handed out.
func (b *batch) removeReady(seq uint64) error {
	k := seqKey(seq)
	b.dirty = true
	b.counts.ready--
	if err := b.handed.delete(k[:]); err != nil {
		return err
	}
	return b.ready.Delete(k[:])
}
