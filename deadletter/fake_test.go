package deadletter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

var errCrash = errors.New("crash")

// fake is dead letters in memory, and the queue that they are sent to.
type fake struct {
	mu      sync.Mutex
	letters []*hook.DeadLetter
	sent    []*hook.Event
	late    []*hook.DeadLetter // come during the next sweep, which does not see them
	sweeps  int

	crashAfter int // operations; a send is two: it is durable, the letter is removed. -1: never
	refuse     func(*hook.Event) error
	damaged    error
}

func newFake(letters ...*hook.DeadLetter) *fake { return &fake{letters: letters, crashAfter: -1} }

func (f *fake) step() error {
	if f.crashAfter == 0 {
		return errCrash
	}
	f.crashAfter--
	return nil
}

// Sweep implements hook.DeadLetters.
func (f *fake) Sweep(_ context.Context, fn func(*hook.DeadLetter) hook.Verdict) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweeps++
	var kept []*hook.DeadLetter
	all := f.letters
	defer func() { f.letters, f.late = append(kept, f.late...), nil }()
	for i, l := range all {
		shown := *l
		v := fn(&shown)
		switch v.Do {
		case hook.Keep:
			kept = append(kept, l)
			continue
		case hook.Stop:
			kept = append(kept, all[i:]...)
			return nil
		case hook.Send:
			if f.refuse != nil {
				err = f.refuse(v.Event)
			}
			if err == nil {
				err = f.step()
			}
			if err == nil {
				copied := *v.Event
				f.sent = append(f.sent, &copied)
			}
		}
		if err == nil {
			err = f.step()
		}
		if err != nil {
			kept = append(kept, all[i:]...)
			return err
		}
	}
	return f.damaged
}

// Count implements hook.DeadLetters.
func (f *fake) Count(context.Context) (int, error) { return len(f.letters), nil }

func (f *fake) ids() (ids []string) {
	for _, l := range f.letters {
		ids = append(ids, l.Event.ID)
	}
	return ids
}

const goodBody = `{"campaignId":"c","campaignName":"n","contactId":"k","contactNumber":"+14155550123","callOutcome":"answered","agentId":null,"agentName":null,"dispositionCode":null,"dispositionLabel":null,"callDurationSeconds":142,"timestamp":"2026-05-14T18:32:11.450Z","webhookEventId":"evt"}`

var noon = time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)

// letter returns one of the kind.
func letter(id string, kind hook.Kind, change ...func(*hook.DeadLetter)) *hook.DeadLetter {
	l := &hook.DeadLetter{
		Event: &hook.Event{
			ID: id, Hook: "pe-action-map", Contract: "pe-action-map/1", ContentType: "application/json",
			Body: []byte(goodBody), Fingerprint: hook.Fingerprint{1, 2, 3}, ReceivedAt: noon.Add(-time.Hour),
		},
		Fault: hook.Fault{Kind: kind, Message: "failed", Attempt: 7, Time: noon, First: noon.Add(-time.Minute)},
	}
	for _, c := range change {
		c(l)
	}
	l.ID = hook.LetterID(l.Event)
	return l
}

func letters(n int) []*hook.DeadLetter {
	var list []*hook.DeadLetter
	for i := range n {
		list = append(list, letter(fmt.Sprintf("evt-%d", i), hook.KindExhausted))
	}
	return list
}

func body(s string) func(*hook.DeadLetter) {
	return func(l *hook.DeadLetter) { l.Event.Body = []byte(s) }
}

func replayed(n int) func(*hook.DeadLetter) {
	return func(l *hook.DeadLetter) { l.Event.Replay = n }
}

func mustReplay(t *testing.T, d *Local, opts ReplayOptions) Report {
	t.Helper()
	report, err := d.Replay(t.Context(), opts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
