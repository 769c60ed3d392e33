package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

// Desk is where a person works with dead letters. What changes something may be
// interrupted at any time, and run again: see each.
type Desk interface {
	// List calls fn for each letter that is meant, the oldest first, and
	// returns how many there are, beyond the limit too. An error of fn ends it.
	List(ctx context.Context, opts ListOptions, fn func(*Record) error) (matched int, err error)

	// Replay sends letters to their origins, to be processed once more.
	Replay(ctx context.Context, opts ReplayOptions, progress func(Progress)) (Report, error)

	// Edit sends, in the place of a letter, an event with another body.
	Edit(ctx context.Context, opts EditOptions) (Edited, error)

	// Remove removes letters, of which the caller has a copy: see Discard.
	Remove(ctx context.Context, opts RemoveOptions, progress func(Progress)) (Report, error)
}

// ListOptions say which letters are listed, and how.
type ListOptions struct {
	// Filter says which letters are meant. Default: all.
	Filter Filter `json:"filter"`

	// Limit is how many records there are at most. Default: 0, no bound.
	Limit int `json:"limit,omitempty"`

	// Values adds personal data. Default: false.
	Values bool `json:"values,omitempty"`
}

// Kept are letters that stayed, and why.
type Kept struct {
	Reason string   `json:"reason"`
	Count  int      `json:"count"`
	IDs    []string `json:"ids"` // the first of them
}

// Report is what became of letters.
type Report struct {
	Matched int `json:"matched"` // letters that were meant, with the other letters of their events
	Done    int `json:"done"`    // sent or removed; in a dry run, those that would be
	Kept    int `json:"kept"`    // they stayed, for a reason
	Left    int `json:"left"`    // nobody got to them: a limit, an interruption, or somebody else was faster

	// Limited says that the limit is why there are some left.
	Limited bool `json:"limited,omitempty"`

	// Warning is about letters that cannot be read, and stay.
	Warning string `json:"warning,omitempty"`

	// Reasons says why letters were kept: at most 100 reasons, with at most 10
	// letters each.
	Reasons []Kept `json:"reasons,omitempty"`
}

const (
	maxReasons = 100
	maxNamed   = 10 // letters of one reason
)

func (r *Report) keep(id, reason string) {
	r.Kept++
	r.because(Kept{Reason: reason, Count: 1, IDs: []string{id}})
}

func (r *Report) because(k Kept) {
	i := slices.IndexFunc(r.Reasons, func(known Kept) bool { return known.Reason == k.Reason })
	if i < 0 {
		if len(r.Reasons) < maxReasons {
			r.Reasons = append(r.Reasons, k)
		}
		return
	}
	known := &r.Reasons[i]
	known.Count += k.Count
	known.IDs = append(known.IDs, k.IDs[:min(len(k.IDs), maxNamed-len(known.IDs))]...)
}

// Add adds what became of other letters.
func (r *Report) Add(o Report) {
	r.Matched += o.Matched
	r.Done += o.Done
	r.Kept += o.Kept
	r.Left += o.Left
	r.Limited = r.Limited || o.Limited
	r.Warning = cmp.Or(r.Warning, o.Warning)
	for _, k := range o.Reasons {
		r.because(k)
	}
}

// Progress is how far it is.
type Progress struct {
	Done, Kept, Matched int
}

// DefaultSweepFor is how long one sweep takes at most. A server may close a
// channel that keeps its letters for too long.
const DefaultSweepFor = 5 * time.Minute

// Local is the Desk of dead letters at hand.
type Local struct {
	// Letters are the dead letters. Required.
	Letters hook.DeadLetters

	// Contracts are those of today, which letters are held against. Default:
	// the built-in ones, and those of the options.
	Contracts *Contracts

	// SweepFor is how long one sweep takes at most: what takes longer is done
	// in several. Default: DefaultSweepFor.
	SweepFor time.Duration
}

// contracts returns those of today: the Desk's, and those that are given.
func (d *Local) contracts(own []json.RawMessage) (*Contracts, error) {
	if len(own) == 0 && d.Contracts != nil {
		return d.Contracts, nil
	}
	all := new(Contracts)
	if d.Contracts != nil {
		d.Contracts.mu.Lock()
		all.known = make(map[string]*reader, len(d.Contracts.known))
		for name, r := range d.Contracts.known {
			all.known[name] = r
		}
		d.Contracts.mu.Unlock()
	}
	for i, schema := range own {
		c, err := contract.Parse(fmt.Sprintf("number %d", i+1), schema)
		if err != nil {
			return nil, err
		}
		if err := all.Add(c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// List implements Desk.
func (d *Local) List(ctx context.Context, opts ListOptions, fn func(*Record) error) (matched int, err error) {
	if err := opts.Filter.Check(); err != nil {
		return 0, err
	}
	var failed error
	match := opts.Filter.matcher()
	err = d.Letters.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		if ctx.Err() != nil {
			return hook.Verdict{Do: hook.Stop}
		}
		if !match(l) {
			return hook.Verdict{}
		}
		if matched++; opts.Limit > 0 && matched > opts.Limit {
			return hook.Verdict{}
		}
		r := NewRecord(l, opts.Values)
		if failed = fn(&r); failed != nil {
			return hook.Verdict{Do: hook.Stop}
		}
		return hook.Verdict{}
	})
	switch {
	case failed != nil:
		return matched, failed
	case err == nil:
		err = ctx.Err()
	}
	return matched, err
}

// Interface guard
var _ Desk = (*Local)(nil)
