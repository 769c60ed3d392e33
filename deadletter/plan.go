package deadletter

import (
	"context"

	"github.com/hookgate/hookgate/hook"
)

// plan is what is to be known of all letters before one is sent.
type plan struct {
	events  map[identity]*planned
	letters map[string]struct{} // by their IDs: those that are there now
	matched int
}

// planned is one event, of which there may be several letters.
type planned struct {
	chosen  bool   // one of its letters is meant, and so all of them are
	highest int    // replay number
	top     int    // letters with that number
	all     int    // letters
	blocked string // why one of them is kept, and so all of them are
}

// next is the replay number that the event is sent with, whichever of its
// letters it is sent from. An event that was sent again and failed once more
// has two letters, if the run that sent it was interrupted before the first was
// removed: with a number each, it would be processed twice.
func (p *planned) next() int { return p.highest + 1 }

// lower is how many letters have a lower number than the highest. They go
// first: the highest number must be known as long as one of them is there.
func (p *planned) lower() int { return p.all - p.top }

// survey looks at all letters.
func survey(ctx context.Context, letters hook.DeadLetters, match func(*hook.DeadLetter) bool) (*plan, error) {
	p := &plan{events: make(map[identity]*planned), letters: make(map[string]struct{})}
	err := letters.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		if ctx.Err() != nil {
			return hook.Verdict{Do: hook.Stop}
		}
		p.add(l, match(l))
		return hook.Verdict{}
	})
	if err == nil {
		err = ctx.Err()
	}
	for _, e := range p.events {
		if e.chosen {
			p.matched += e.all
		}
	}
	return p, err
}

func (p *plan) add(l *hook.DeadLetter, chosen bool) {
	p.letters[l.ID] = struct{}{}
	key := identityOf(again(l))
	e := p.events[key]
	if e == nil {
		e = &planned{highest: -1}
		p.events[key] = e
	}
	e.all++
	e.chosen = e.chosen || chosen
	switch n := l.Event.Replay; {
	case n > e.highest:
		e.highest, e.top = n, 1
	case n == e.highest:
		e.top++
	}
}

// of returns what is planned for a letter, nil for one that is not meant or was
// not there: an event that fails again while others are sent is left alone, or
// a run would not end where the downstream is still broken.
func (p *plan) of(l *hook.DeadLetter, ev *hook.Event) *planned {
	if _, ok := p.letters[l.ID]; !ok {
		return nil
	}
	if e := p.events[identityOf(ev)]; e != nil && e.chosen {
		return e
	}
	return nil
}
