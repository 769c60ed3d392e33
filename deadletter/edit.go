package deadletter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hookgate/hookgate/hook"
)

// EditOptions say what becomes of a letter.
type EditOptions struct {
	// ID of the letter. Required.
	ID string `json:"id"`

	// Body of the new event. Required, without a Patch.
	Body []byte `json:"body,omitempty"` // base64 in JSON

	// Patch is what changes in the body: a JSON Merge Patch (RFC 7396).
	Patch json.RawMessage `json:"patch,omitempty"`

	// DryRun sends nothing. Default: false.
	DryRun bool `json:"dry_run,omitempty"`

	// Contracts are contracts of one's own, as in their files. Default: those
	// of the Desk.
	Contracts []json.RawMessage `json:"contracts,omitempty"`
}

// Edited is what a letter has become.
type Edited struct {
	ID          string `json:"id"`           // of the letter
	EventDigest string `json:"event_digest"` // of the new event's ID, as in the logs
	Replay      int    `json:"replay"`
	Contract    string `json:"contract,omitempty"` // that it meets
	Size        int    `json:"size"`               // of the body, in bytes
	Fingerprint string `json:"fingerprint"`
}

// Errors of Edit.
var (
	ErrNoLetter  = errors.New("there is no such letter")
	ErrUnchanged = errors.New("the body is what it was: send the letter again instead")
)

// Check returns what is wrong with the options.
func (o *EditOptions) Check() error {
	if len(o.Body) == 0 == (len(o.Patch) == 0) {
		return errors.New("an edit has a body, or a patch")
	}
	f := Filter{IDs: []string{o.ID}}
	return f.Check()
}

// Edit implements Desk. The new event has an ID of its own, which is made of
// the old one and of the new body, and names the letter in its header; it must
// meet today's contract. The letter is removed when the event is durable, so
// that whoever wants to keep it has copied it before. An edit that was
// interrupted, and is run again, makes the same event.
func (d *Local) Edit(ctx context.Context, opts EditOptions) (Edited, error) {
	if err := opts.Check(); err != nil {
		return Edited{}, err
	}
	contracts, err := d.contracts(opts.Contracts)
	if err != nil {
		return Edited{}, err
	}
	var letter *hook.DeadLetter
	p, err := survey(ctx, d.Letters, func(l *hook.DeadLetter) bool {
		if l.ID == opts.ID {
			copied := *l
			copied.Event = complete(l.Event)
			copied.Event.Body = bytes.Clone(l.Event.Body)
			letter = &copied
		}
		return false
	})
	switch {
	case err != nil && !Unreadable(err):
		return Edited{}, err
	case letter == nil:
		return Edited{}, ErrNoLetter
	}
	ev, err := edit(letter, &opts, contracts)
	if err != nil {
		return Edited{}, err
	}
	// The new event may be a dead letter too, where the run that sent it was
	// interrupted before it could remove the old one.
	if e := p.events[identityOf(ev)]; e != nil {
		ev.Replay = e.next()
	}
	done := Edited{
		ID: opts.ID, EventDigest: hook.LogID(ev.ID), Replay: ev.Replay,
		Contract: ev.Contract, Size: len(ev.Body), Fingerprint: ev.Fingerprint.String(),
	}
	if opts.DryRun {
		return done, nil
	}
	sent := false
	err = d.Letters.Sweep(ctx, func(l *hook.DeadLetter) hook.Verdict {
		if l.ID != opts.ID {
			return hook.Verdict{}
		}
		sent = true // copies of the letter become the same event
		return hook.Verdict{Do: hook.Send, Event: ev}
	})
	if err != nil && !Unreadable(err) {
		return done, err
	}
	if !sent {
		return done, ErrNoLetter
	}
	return done, nil
}

// edit returns the event that a letter becomes.
func edit(l *hook.DeadLetter, opts *EditOptions, contracts *Contracts) (*hook.Event, error) {
	body := opts.Body
	if len(opts.Patch) > 0 {
		var err error
		if body, err = mergePatch(l.Event.Body, opts.Patch); err != nil {
			return nil, err
		}
	}
	if bytes.Equal(body, l.Event.Body) {
		return nil, ErrUnchanged
	}
	r, err := contracts.of(l.Event)
	if err != nil {
		return nil, err
	}
	doc, err := r.check(body)
	if err != nil {
		return nil, fmt.Errorf("the new body: %w", err)
	}
	ev := complete(l.Event)
	ev.ID = branchID(ev.ID, doc.Fingerprint)
	ev.Body, ev.Fingerprint, ev.Contract = body, doc.Fingerprint, r.id
	ev.Attempt, ev.Replay = 0, 0
	if ev.Header == nil {
		ev.Header = make(map[string]string)
	}
	ev.Header[hook.HeaderReplaces] = l.ID
	repair(ev, &doc)
	return ev, nil
}

// Unfit reports whether an edit failed because of the new body.
func Unfit(err error) bool {
	if _, ok := errors.AsType[*InvalidError](err); ok {
		return true
	}
	_, ok := errors.AsType[*contractError](err)
	return ok || errors.Is(err, ErrUnchanged) || errors.Is(err, errNotPatch) || errors.Is(err, errNotObject)
}
