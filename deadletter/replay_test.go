package deadletter

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

var all = ReplayOptions{All: true}

func TestALetterIsSentAgainUnderTheNextNumber(t *testing.T) {
	l := letter("evt", hook.KindExhausted, replayed(3), func(l *hook.DeadLetter) {
		l.Event.Attempt = 7
		l.Event.Header = map[string]string{hook.HeaderTraceparent: "00-a"}
	})
	f := newFake(l)
	report := mustReplay(t, &Local{Letters: f}, all)
	want := *l.Event
	want.Replay, want.Attempt = 4, 0
	if diff := cmp.Diff([]*hook.Event{&want}, f.sent, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Report{Matched: 1, Done: 1}, report); diff != "" || len(f.letters) != 0 {
		t.Errorf("%d letters; %s", len(f.letters), diff)
	}
}

func TestAConflictGoesUnderAnIDOfItsOwn(t *testing.T) {
	fp := hook.Fingerprint{0xab, 0xcd, 0xef, 0x01, 0x23}
	set := func(l *hook.DeadLetter) { l.Event.Fingerprint = fp }
	long := strings.Repeat("x", 250)
	for id, want := range map[string]string{
		"evt":            "evt~abcdef01",
		"evt~abcdef01":   "evt~abcdef01", // it was sent before, and is a conflict once more
		"evt~00000000":   "evt~00000000~abcdef01",
		long:             branchID(long, fp),
		"sha256:0a1b2c3": "sha256:0a1b2c3~abcdef01",
	} {
		f := newFake(letter(id, hook.KindConflict, set))
		mustReplay(t, &Local{Letters: f}, all)
		if got := f.sent[0]; got.ID != want || got.Replay != 1 || len(got.ID) > hook.MaxIDLength {
			t.Errorf("%s is sent as %s, %d", id, got.ID, got.Replay)
		}
	}
	if got := branchID(long, fp); !strings.HasPrefix(got, "sha256:") {
		t.Errorf("an ID that is too long is %s", got)
	}
}

func TestAMessageOfAnotherProgramGetsAnIDAndAFingerprint(t *testing.T) {
	f := newFake(letter("", hook.KindPoison, func(l *hook.DeadLetter) { l.Event.Fingerprint = hook.Fingerprint{} }))
	mustReplay(t, &Local{Letters: f}, all)
	if got := f.sent[0]; got.Fingerprint == (hook.Fingerprint{}) || got.ID != hook.DigestID(got.Fingerprint) {
		t.Errorf("ID %q, fingerprint %s", got.ID, got.Fingerprint)
	}
}

func TestALetterThatIsStillInvalidStays(t *testing.T) {
	own, err := contract.Parse("own", []byte(`{"x-hookgate":{"name":"orders","version":2,"event_id":["/id"]},"type":"object","required":["id"]}`))
	if err != nil {
		t.Fatal(err)
	}
	orders := func(l *hook.DeadLetter) { l.Event.Contract = "orders/1" }
	for _, tc := range []struct {
		name   string
		letter *hook.DeadLetter
		give   bool
		reason string // "": it is sent
		now    string // its contract
	}{
		{"it meets the contract now", letter("a", hook.KindInvalid), false, "", "pe-action-map/1"},
		{"it does not", letter("a", hook.KindInvalid, body(`{}`)), false, "still invalid: does not meet pe-action-map/1: /callOutcome missing", ""},
		{"it is no JSON", letter("a", hook.KindInvalid, body(`{`)), false, "still invalid: the body breaks off", ""},
		{"its contract is unknown", letter("a", hook.KindInvalid, orders), false, "its contract orders is not built in, and was not given", ""},
		{"its contract is given, in another version", letter("a", hook.KindInvalid, orders, body(`{"id":"1"}`)), true, "", "orders/2"},
		{"a given one is not met", letter("a", hook.KindInvalid, orders, body(`{}`)), true, "still invalid: does not meet orders/2: /id missing", ""},
		{"it has no contract", letter("a", hook.KindInvalid, body(`x`), func(l *hook.DeadLetter) { l.Event.Contract = "" }), false, "", ""},
		{"its kind is another", letter("a", hook.KindPermanent, body(`{}`)), false, "", "pe-action-map/1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(tc.letter)
			d := &Local{Letters: f, Contracts: new(Contracts)}
			if tc.give {
				if err := d.Contracts.Add(own); err != nil {
					t.Fatal(err)
				}
			}
			report := mustReplay(t, d, all)
			if tc.reason != "" {
				if report.Kept != 1 || len(f.letters) != 1 || !strings.Contains(report.Reasons[0].Reason, tc.reason) {
					t.Errorf("got %+v", report)
				}
				return
			}
			if report.Done != 1 || len(f.letters) != 0 || f.sent[0].Contract != tc.now {
				t.Errorf("got %+v, sent %+v", report, f.sent)
			}
		})
	}
}

func TestALetterThatTodaysContractCanMendIsSentMended(t *testing.T) {
	drifted := strings.NewReplacer(`"callDurationSeconds":142`, `"call.durationSeconds":"142"`, `"agentId":null,`, "", `.450Z`, `.450`).Replace(goodBody)
	l := letter("a", hook.KindInvalid, body(drifted))
	before := l.Event.Fingerprint
	l.Event.Header = map[string]string{hook.HeaderDrift: "new_value /old", hook.HeaderTraceparent: "00-1"}
	f := newFake(l)
	mustReplay(t, &Local{Letters: f}, all)
	ev := f.sent[0]
	want := strings.Replace(strings.TrimSuffix(drifted, "}"), `.450"`, `.450Z"`, 1) + `,"callDurationSeconds":142,"agentId":null}`
	if string(ev.Body) != want || ev.Fingerprint != before {
		t.Errorf("%s\n%s, fingerprint %s", ev.Body, want, ev.Fingerprint)
	}
	const drift = "absent_null /agentId, renamed /callDurationSeconds, string_number /callDurationSeconds, no_zone /timestamp"
	if ev.Header[hook.HeaderDrift] != drift || ev.Header[hook.HeaderTraceparent] != "00-1" {
		t.Errorf("header %v", ev.Header)
	}
	if string(l.Event.Body) != drifted || l.Event.Header[hook.HeaderDrift] != "new_value /old" {
		t.Error("the letter was changed")
	}
}

func TestContractsOfTheOptionsAreUsed(t *testing.T) {
	f := newFake(letter("a", hook.KindInvalid, body(`{"id":"1"}`), func(l *hook.DeadLetter) { l.Event.Contract = "orders/1" }))
	opts := all
	opts.Contracts = append(opts.Contracts, []byte(`{"x-hookgate":{"name":"orders","version":2,"event_id":["/id"]},"type":"object"}`))
	if report := mustReplay(t, &Local{Letters: f}, opts); report.Done != 1 {
		t.Errorf("got %+v", report)
	}
	opts.Contracts[0] = []byte(`{}`)
	if _, err := (&Local{Letters: f}).Replay(t.Context(), opts, nil); err == nil || !strings.Contains(err.Error(), "manifest is missing") {
		t.Errorf("got %v", err)
	}
}

func TestAllLettersOfAnEventGoUnderOneNumber(t *testing.T) {
	for name, numbers := range map[string][]int{
		"one that was left by a run that was interrupted": {0, 1},
		"a copy that came late":                           {1, 0},
		"many":                                            {2, 0, 1, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var list []*hook.DeadLetter
			for _, n := range numbers {
				list = append(list, letter("evt", hook.KindExhausted, replayed(n)))
			}
			first, highest := list[0].ID, 0
			for _, n := range numbers {
				highest = max(highest, n)
			}
			f := newFake(list...)
			report := mustReplay(t, &Local{Letters: f}, ReplayOptions{Filter: Filter{IDs: []string{first}}})
			if report.Done != len(numbers) || report.Matched != len(numbers) || len(f.letters) != 0 {
				t.Errorf("got %+v", report)
			}
			for _, ev := range f.sent {
				if ev.Replay != highest+1 {
					t.Errorf("one is sent as %d", ev.Replay)
				}
			}
		})
	}
}

func TestALetterStaysWithTheOthersOfItsEvent(t *testing.T) {
	for name, list := range map[string][]*hook.DeadLetter{
		"that come before": {letter("evt", hook.KindInvalid, body(`{}`)), letter("evt", hook.KindExhausted, replayed(1))},
		"that come after":  {letter("evt", hook.KindExhausted, replayed(1)), letter("evt", hook.KindInvalid, body(`{}`))},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(list...)
			report := mustReplay(t, &Local{Letters: f}, all)
			if report.Kept != 2 || len(f.sent) != 0 || !strings.Contains(report.Reasons[1].Reason, "is of the same event, and is kept") {
				t.Errorf("got %+v", report)
			}
		})
	}
}

func TestAnEventThatFailsAgainMeanwhileIsLeftAlone(t *testing.T) {
	copies := []*hook.DeadLetter{letter("evt", hook.KindExhausted, replayed(1)), letter("evt", hook.KindExhausted)} // need two sweeps
	f := newFake(append(copies, letters(3)...)...)
	report, err := (&Local{Letters: f}).Replay(t.Context(), all, func(p Progress) {
		if p.Done == 2 {
			f.late = append(f.late, letter("evt-0", hook.KindPermanent, replayed(1)))
		}
	})
	if err != nil || report.Done != 5 || f.sweeps != 3 || !cmp.Equal(f.ids(), []string{"evt-0"}) {
		t.Errorf("%+v, %v, %d sweeps, left %v", report, err, f.sweeps, f.ids())
	}
}

func TestADryRunSendsNothing(t *testing.T) {
	f := newFake(append(letters(4), letter("bad", hook.KindInvalid, body(`{}`)))...)
	opts := all
	opts.DryRun, opts.Limit = true, 3
	report := mustReplay(t, &Local{Letters: f}, opts)
	if report.Done != 3 || report.Left != 2 || !report.Limited || len(f.sent) != 0 || len(f.letters) != 5 {
		t.Errorf("got %+v", report)
	}
	opts.Limit = 0
	if report := mustReplay(t, &Local{Letters: f}, opts); report.Done != 4 || report.Kept != 1 || report.Left != 0 {
		t.Errorf("got %+v", report)
	}
}

func TestALimitSendsTheOldest(t *testing.T) {
	f := newFake(letters(5)...)
	opts := all
	opts.Limit = 2
	report := mustReplay(t, &Local{Letters: f}, opts)
	if diff := cmp.Diff(Report{Matched: 5, Done: 2, Left: 3, Limited: true}, report); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(f.ids(), []string{"evt-2", "evt-3", "evt-4"}) {
		t.Errorf("left are %v", f.ids())
	}
	opts.Limit = 3
	if report := mustReplay(t, &Local{Letters: f}, opts); report.Limited || report.Left != 0 {
		t.Errorf("a limit that is met exactly: %+v", report)
	}
}

func TestARateIsKeptInSweepsThatEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(letters(100)...)
		opts := all
		opts.Rate = 10
		begin := time.Now()
		report := mustReplay(t, &Local{Letters: f, SweepFor: 3 * time.Second}, opts)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
		if report.Done != 100 || f.sweeps < 4 {
			t.Errorf("%+v in %d sweeps", report, f.sweeps)
		}
	})
}

func TestAPaceMakesUpForOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(10)
		begin := time.Now()
		for range 10 {
			time.Sleep(30 * time.Millisecond) // the work
			_ = p.wait(t.Context())
		}
		if took := time.Since(begin); took > 1130*time.Millisecond {
			t.Errorf("ten turns took %s", took)
		}
		time.Sleep(time.Minute)
		begin = time.Now()
		for range 5 {
			_ = p.wait(t.Context())
		}
		if took := time.Since(begin); took < 400*time.Millisecond {
			t.Errorf("a burst of five in %s", took)
		}
	})
}

func TestAnInterruptionKeepsWhatIsNotSent(t *testing.T) {
	f := newFake(letters(10)...)
	ctx, cancel := context.WithCancel(t.Context())
	report, err := (&Local{Letters: f}).Replay(ctx, all, func(p Progress) {
		if p.Done == 4 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || report.Done != 4 || report.Left != 6 || len(f.letters) != 6 {
		t.Errorf("%+v, %v, %d letters", report, err, len(f.letters))
	}
}

func TestALetterThatCannotBeSentDoesNotHoldUpTheOthers(t *testing.T) {
	f := newFake(letters(5)...)
	f.refuse = func(ev *hook.Event) error {
		if ev.ID == "evt-1" {
			return errors.New("no queue is bound")
		}
		return nil
	}
	report := mustReplay(t, &Local{Letters: f}, all)
	if report.Done != 4 || report.Kept != 1 || !strings.Contains(report.Reasons[0].Reason, "not sent: no queue is bound") || !cmp.Equal(f.ids(), []string{"evt-1"}) {
		t.Errorf("%+v, left %v", report, f.ids())
	}
	f = newFake(letters(50)...)
	f.refuse = func(*hook.Event) error { return errCrash }
	report, err := (&Local{Letters: f}).Replay(t.Context(), all, nil)
	if !errors.Is(err, errCrash) || report.Kept != maxFailed || len(f.letters) != 50 {
		t.Errorf("none can be sent: %+v, %v", report, err)
	}
}

func TestALetterThatCannotBeReadDoesNotHoldUpTheOthers(t *testing.T) {
	f := newFake(letters(3)...)
	f.damaged = errors.Join(nil, errors.Join(&hook.Unreadable{Err: errors.New("entry 7")}))
	report := mustReplay(t, &Local{Letters: f}, all)
	if report.Done != 3 || !strings.Contains(report.Warning, "entry 7") {
		t.Errorf("%+v", report)
	}
	if Unreadable(errors.Join(f.damaged, errCrash)) || Unreadable(errCrash) || !Unreadable(fmt.Errorf("x: %w", f.damaged)) {
		t.Error("errors are not told apart")
	}
}

func TestWhoChangesLettersMustSayWhich(t *testing.T) {
	d := &Local{Letters: newFake(letters(1)...)}
	if _, err := d.Replay(t.Context(), ReplayOptions{}, nil); !errors.Is(err, ErrNoScope) {
		t.Errorf("replay: %v", err)
	}
	if _, err := d.Remove(t.Context(), RemoveOptions{}, nil); !errors.Is(err, ErrNoScope) {
		t.Errorf("remove: %v", err)
	}
	if _, err := Discard(t.Context(), d, DiscardOptions{Archive: "x"}, nil); !errors.Is(err, ErrNoScope) {
		t.Errorf("discard: %v", err)
	}
	for _, opts := range []ReplayOptions{
		{All: true, Filter: Filter{Hook: "h"}}, {All: true, Limit: -1}, {All: true, Rate: -1}, {Filter: Filter{Kind: "odd"}},
	} {
		if opts.Check() == nil {
			t.Errorf("%+v is taken", opts)
		}
	}
}

func TestAReportPutsReasonsTogether(t *testing.T) {
	var list []*hook.DeadLetter
	for i := range 20 {
		list = append(list, letter(fmt.Sprintf("evt-%d", i), hook.KindInvalid, body(`{}`)))
	}
	f := newFake(append(list, letter("x", hook.KindInvalid, body(`[]`)))...)
	report := mustReplay(t, &Local{Letters: f}, all)
	report.Add(mustReplay(t, &Local{Letters: f}, all))
	if len(report.Reasons) != 2 || report.Reasons[0].Count != 40 || len(report.Reasons[0].IDs) != maxNamed || report.Reasons[0].IDs[0] != list[0].ID || report.Kept != 42 {
		t.Errorf("got %+v", report)
	}
}

// looks counts the letters that a sweep looks at.
type looks struct {
	*fake
	n int
}

func (l *looks) Sweep(ctx context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	return l.fake.Sweep(ctx, func(d *hook.DeadLetter) hook.Verdict { l.n++; return fn(d) })
}

func TestARunEndsBehindTheLastLetterThatIsMeant(t *testing.T) {
	for name, dry := range map[string]bool{"sent": false, "looked at": true} {
		t.Run(name, func(t *testing.T) {
			l := &looks{fake: newFake(letters(100)...)}
			report := mustReplay(t, &Local{Letters: l}, ReplayOptions{Filter: Filter{IDs: []string{l.letters[0].ID, l.letters[1].ID}}, DryRun: dry})
			if report.Done != 2 || l.n > 103 {
				t.Errorf("%d of 100 letters were looked at, %+v", l.n, report)
			}
		})
	}
}

func TestARateThatIsNextToNothingIsNotTakenForNoBound(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := newPace(1e-12).wait(ctx); err == nil {
		t.Error("it did not wait")
	}
}
