package accept

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// advance forwards events that were not looked at yet.
func (f *Forwarder) advance(ctx context.Context, s *shelf) (more bool, err error) {
	entries, err := f.from.Next(ctx, s.state, s.from, f.opts.Outstanding)
	if bad, ok := errors.AsType[*hook.Damaged](err); ok {
		s.from = bad.Seq
		if _, known := s.damaged[bad.Seq]; !known {
			s.damaged[bad.Seq] = struct{}{}
			f.backlog.failed[Damaged].Add(1)
			f.logger.Error("a spooled event cannot be read: it stays on this node", zap.Uint64("seq", bad.Seq), zap.Error(bad.Err))
		}
		return true, nil
	}
	if err != nil || len(entries) == 0 {
		return false, err
	}
	s.from = entries[len(entries)-1].Seq
	var batch []hook.Entry
	for i := range entries {
		e := &entries[i]
		if !s.passes(e) && !s.waits(s.placeOf(e), e.Seq) {
			batch = append(batch, *e)
		}
	}
	return true, f.forward(ctx, s, batch)
}

// probe tries places that took nothing, where it is time to.
func (f *Forwarder) probe(ctx context.Context, s *shelf) (moved bool, err error) {
	for _, at := range slices.SortedFunc(maps.Keys(s.stalled), func(a, b place) int { return s.stalled[a].until.Compare(s.stalled[b].until) }) {
		t := s.stalled[at]
		if t.until.After(time.Now()) || ctx.Err() != nil {
			continue
		}
		batch, err := f.waiting(ctx, s, at, t.first-1, t.probeSize(f.opts.Outstanding))
		if err != nil {
			return moved, err
		}
		if len(batch) == 0 { // they were taken back
			delete(s.stalled, at)
			continue
		}
		t.first = batch[0].Seq
		if err := f.forward(ctx, s, batch); err != nil {
			return moved, err
		}
		if s.stalled[at] == nil { // it takes events again: those that were passed over come now
			s.from = min(s.from, batch[len(batch)-1].Seq)
			if t.told {
				f.logger.Info("spooled events are taken again", zap.Stringer("place", at))
			}
			moved = true
		}
	}
	return moved, nil
}

// waiting returns the oldest events that wait for a place.
func (f *Forwarder) waiting(ctx context.Context, s *shelf, at place, after uint64, limit int) ([]hook.Entry, error) {
	var batch []hook.Entry
	for {
		entries, err := f.from.Next(ctx, s.state, after, f.opts.Outstanding)
		if bad, ok := errors.AsType[*hook.Damaged](err); ok {
			after = bad.Seq
			continue
		}
		if err != nil || len(entries) == 0 {
			return batch, err
		}
		for i := range entries {
			if e := &entries[i]; s.placeOf(e) == at && !s.passes(e) {
				batch = append(batch, *e)
			}
			if len(batch) == limit {
				return batch, nil
			}
		}
		if len(batch) > 0 { // enough to find out
			return batch, nil
		}
		after = entries[len(entries)-1].Seq
	}
}

// retry tries events that failed for their own sake, where it is time to.
func (f *Forwarder) retry(ctx context.Context, s *shelf) (moved bool, err error) {
	for _, seq := range slices.Sorted(maps.Keys(s.aside)) {
		a := s.aside[seq]
		if a.until.After(time.Now()) || s.stalled[a.place] != nil || ctx.Err() != nil {
			continue
		}
		entries, err := f.from.Next(ctx, s.state, seq-1, 1)
		if err != nil {
			return false, err
		}
		if len(entries) == 0 || entries[0].Seq != seq { // it was taken back
			delete(s.aside, seq)
			continue
		}
		errs := f.send(ctx, s, entries)
		switch {
		case errs == nil:
		case errs[0] == nil:
			s.done(seq)
			f.backlog.forwarded.Add(1)
			if err := f.clear(s); err != nil {
				return false, err
			}
		default:
			f.fails(s, &entries[0], errs[0])
			s.setAside(seq, a.place, reasonOf(errs[0]), time.Now())
		}
	}
	return false, nil
}

// forward publishes a batch, removes what was taken, and notes what was not.
func (f *Forwarder) forward(ctx context.Context, s *shelf, batch []hook.Entry) error {
	batch = slices.DeleteFunc(batch, func(e hook.Entry) bool {
		if !s.taken(e.Seq) {
			return false
		}
		s.done(e.Seq)
		f.backlog.forwarded.Add(1)
		return true
	})
	if len(batch) == 0 {
		return f.clear(s)
	}
	for i := range batch {
		at := s.placeOf(&batch[i])
		if _, told := s.told[at]; !told && at.queue != "" {
			s.told[at] = struct{}{}
			f.opts.Expect(at.queue, at.celery)
		}
	}
	errs := f.send(ctx, s, batch)
	if errs == nil { // it is to end: they were not sent
		s.from = min(s.from, batch[0].Seq-1)
		return f.clear(s)
	}
	f.settle(s, batch, errs)
	return f.clear(s)
}

// verdict is what became of the events of a batch that go to one place.
type verdict struct {
	took   int
	failed []int // by their index in the batch
}

// settle notes what became of a batch.
func (f *Forwarder) settle(s *shelf, batch []hook.Entry, errs []error) {
	verdicts := make(map[place]*verdict)
	for i := range batch {
		at := s.placeOf(&batch[i])
		v := verdicts[at]
		if v == nil {
			v = new(verdict)
			verdicts[at] = v
		}
		switch {
		case errs[i] == nil:
			v.took++
			s.done(batch[i].Seq)
			f.backlog.forwarded.Add(1)
		default:
			f.fails(s, &batch[i], errs[i])
			v.failed = append(v.failed, i)
		}
	}
	for at, v := range verdicts {
		f.judge(s, at, v, batch, errs)
	}
}

// fails counts a failure, and keeps the fate of an event in doubt.
func (f *Forwarder) fails(s *shelf, e *hook.Entry, err error) {
	f.backlog.failed[reasonOf(err)].Add(1)
	if in, ok := errors.AsType[*hook.InDoubt](err); ok {
		d := s.doubts[e.Seq]
		if d == nil {
			d = new(doubt)
			s.doubts[e.Seq] = d
		}
		d.fate = in.Fate
	}
}

// aloneInDoubt is how often an event is in doubt by itself until it is taken for
// the reason, such as one that is too large for the server, which ends the
// channel.
const aloneInDoubt = 3

// judge tells the fault of an event from that of its place.
func (f *Forwarder) judge(s *shelf, at place, v *verdict, batch []hook.Entry, errs []error) {
	now := time.Now()
	stalled, first, reason := false, uint64(0), NotAvailable
	var cause error
	for _, i := range v.failed {
		seq, r := batch[i].Seq, reasonOf(errs[i])
		own := r == Unfit || r == Refused && v.took > 0
		if r == Doubtful && v.took == 0 && len(v.failed) == 1 {
			d := s.doubts[seq]
			d.times++
			own = d.times >= aloneInDoubt
		}
		if own {
			if known := s.setAside(seq, at, r, now); !known {
				f.logger.Warn("a spooled event is not taken: it is tried again, and others go on",
					zap.Stringer("place", at), zap.String("event", hook.LogID(batch[i].Event.ID)), zap.Error(errs[i]))
			}
			continue
		}
		if !stalled {
			stalled, first, reason, cause = true, seq, r, errs[i]
		}
	}
	if v.took > 0 || !stalled {
		delete(s.stalled, at)
	}
	if !stalled {
		return
	}
	if t := s.stalls(at, first, reason, now); !t.told && t.failures > 1 && f.to.Ready() == nil {
		t.told = true
		f.logger.Warn("spooled events are not taken: they are tried again, and those for other places go on",
			zap.Stringer("place", at), zap.Error(cause))
	}
}
