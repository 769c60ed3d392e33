package consumer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookgate/hookgate/hook"
)

func TestWhatBecomesOfAnEvent(t *testing.T) {
	now := time.Date(2026, 5, 14, 18, 0, 0, 0, time.UTC)
	hourAgo := now.Add(-time.Hour)
	retry := []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}
	transient := func(after time.Duration) *hook.Fault {
		return &hook.Fault{Kind: hook.KindTransient, Message: "503", Status: 503, RetryAfter: after}
	}
	fault := func(kind hook.Kind, message string, status, attempt int, after time.Duration) *hook.Fault {
		return &hook.Fault{Kind: kind, Message: message, Status: status, Attempt: attempt, RetryAfter: after, Time: now, First: now}
	}
	for name, c := range map[string]struct {
		o       outcome
		attempt int
		outage  bool
		first   time.Time
		want    verdict
	}{
		"what is processed is done":                           {o: outcome{what: processed}, want: verdict{do: done, result: Processed}},
		"what is processed and not recorded is done":          {o: outcome{what: unrecorded}, want: verdict{do: done, result: Processed}},
		"what was processed before is done":                   {o: outcome{what: duplicate}, want: verdict{do: done, result: Duplicate}},
		"what another is at comes back without an attempt":    {o: outcome{what: inFlight}, want: verdict{do: later, after: retry[0], result: InFlight}},
		"what the inbox does not know of is handed back":      {o: outcome{what: noInbox}, want: verdict{do: giveBack, result: InboxUnavailable}},
		"what is interrupted is handed back":                  {o: outcome{what: stopped}, want: verdict{do: giveBack, result: Stopped}},
		"the first failure goes to the first tier":            {o: outcome{what: failed, fault: transient(0)}, want: verdict{do: later, after: retry[0], fault: fault(hook.KindTransient, "503", 503, 1, 0), result: Retry}},
		"the second failure goes to the second tier":          {o: outcome{what: failed, fault: transient(0)}, attempt: 1, want: verdict{do: later, after: retry[1], fault: fault(hook.KindTransient, "503", 503, 2, 0), result: Retry}},
		"the third failure goes to the third tier":            {o: outcome{what: failed, fault: transient(0)}, attempt: 2, want: verdict{do: later, after: retry[2], fault: fault(hook.KindTransient, "503", 503, 3, 0), result: Retry}},
		"the failure after the last tier is the last":         {o: outcome{what: failed, fault: transient(0)}, attempt: 3, want: verdict{do: dead, fault: fault(hook.KindExhausted, "503", 503, 4, 0), result: Exhausted}},
		"more attempts than tiers are exhausted too":          {o: outcome{what: failed, fault: transient(0)}, attempt: 9, want: verdict{do: dead, fault: fault(hook.KindExhausted, "503", 503, 10, 0), result: Exhausted}},
		"Retry-After is kept by a longer tier":                {o: outcome{what: failed, fault: transient(6 * time.Second)}, want: verdict{do: later, after: retry[1], fault: fault(hook.KindTransient, "503", 503, 1, 6*time.Second), result: Retry}},
		"Retry-After of just a tier is that tier":             {o: outcome{what: failed, fault: transient(30 * time.Second)}, want: verdict{do: later, after: retry[1], fault: fault(hook.KindTransient, "503", 503, 1, 30*time.Second), result: Retry}},
		"Retry-After beyond all tiers is the longest":         {o: outcome{what: failed, fault: transient(time.Hour)}, want: verdict{do: later, after: retry[2], fault: fault(hook.KindTransient, "503", 503, 1, time.Hour), result: Retry}},
		"a short Retry-After does not shorten a later tier":   {o: outcome{what: failed, fault: transient(time.Second)}, attempt: 2, want: verdict{do: later, after: retry[2], fault: fault(hook.KindTransient, "503", 503, 3, time.Second), result: Retry}},
		"a plain error is tried again":                        {o: outcome{what: failed, fault: faultIn(errors.New("broken pipe"))}, want: verdict{do: later, after: retry[0], fault: fault(hook.KindTransient, "broken pipe", 0, 1, 0), result: Retry}},
		"a fault of an unknown kind is tried again":           {o: outcome{what: failed, fault: &hook.Fault{Message: "?"}}, want: verdict{do: later, after: retry[0], fault: fault(hook.KindTransient, "?", 0, 1, 0), result: Retry}},
		"a handler does not decide that an event is poison":   {o: outcome{what: failed, fault: &hook.Fault{Kind: hook.KindPoison, Message: "?"}}, want: verdict{do: later, after: retry[0], fault: fault(hook.KindTransient, "?", 0, 1, 0), result: Retry}},
		"a permanent fault is a dead letter at once":          {o: outcome{what: failed, fault: &hook.Fault{Kind: hook.KindPermanent, Message: "400", Status: 400}}, want: verdict{do: dead, fault: fault(hook.KindPermanent, "400", 400, 1, 0), result: Permanent}},
		"a fault of the contract is a dead letter at once":    {o: outcome{what: failed, fault: &hook.Fault{Kind: hook.KindInvalid, Message: "no"}}, want: verdict{do: dead, fault: fault(hook.KindInvalid, "no", 0, 1, 0), result: Invalid}},
		"a conflict in the inbox is a dead letter":            {o: outcome{what: conflicting}, want: verdict{do: dead, fault: fault(hook.KindConflict, "another body was processed under this event ID before", 0, 1, 0), result: Conflict}},
		"in an outage nothing counts an attempt":              {o: outcome{what: failed, fault: transient(0)}, attempt: 1, outage: true, want: verdict{do: later, after: retry[0], result: Outage}},
		"in an outage nothing is exhausted":                   {o: outcome{what: failed, fault: transient(0)}, attempt: 3, outage: true, want: verdict{do: later, after: retry[0], result: Outage}},
		"in an outage a bad event is a dead letter at once":   {o: outcome{what: failed, fault: &hook.Fault{Kind: hook.KindPermanent, Message: "400", Status: 400}}, outage: true, want: verdict{do: dead, fault: fault(hook.KindPermanent, "400", 400, 1, 0), result: Permanent}},
		"the time of the first failure is kept":               {o: outcome{what: failed, fault: transient(0)}, attempt: 3, first: hourAgo, want: verdict{do: dead, fault: &hook.Fault{Kind: hook.KindExhausted, Message: "503", Status: 503, Attempt: 4, Time: now, First: hourAgo}, result: Exhausted}},
		"an attempt below zero is taken for none":             {o: outcome{what: failed, fault: transient(0)}, attempt: -1, want: verdict{do: later, after: retry[0], fault: fault(hook.KindTransient, "503", 503, 0, 0), result: Retry}},
		"a message is one line that fits into a header":       {o: outcome{what: failed, fault: faultIn(errors.New("a\nb\xff" + strings.Repeat("c", 1000)))}, want: verdict{do: later, after: retry[0], fault: fault(hook.KindTransient, "a b\uFFFD"+strings.Repeat("c", 494)+"...", 0, 1, 0), result: Retry}},
		"a status that is none is left out":                   {o: outcome{what: failed, fault: &hook.Fault{Kind: hook.KindPermanent, Message: "?", Status: -1}}, want: verdict{do: dead, fault: fault(hook.KindPermanent, "?", 0, 1, 0), result: Permanent}},
		"a fault inside another error is the one that counts": {o: outcome{what: failed, fault: faultIn(errors.Join(errors.New("x"), &hook.Fault{Kind: hook.KindPermanent, Message: "400", Status: 400}))}, want: verdict{do: dead, fault: fault(hook.KindPermanent, "400", 400, 1, 0), result: Permanent}},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(c.o, &hook.Event{Attempt: c.attempt}, retry, c.outage, c.first, now)
			opts := []cmp.Option{cmp.AllowUnexported(verdict{}), cmpopts.IgnoreFields(hook.Fault{}, "Err")}
			if diff := cmp.Diff(c.want, got, opts...); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPanicTellsNothingOfItsValue(t *testing.T) {
	if f := panicFault("+49 170 0000000"); strings.Contains(f.Message, "49") {
		t.Error(f.Message)
	}
	defer func() {
		if f := panicFault(recover()); !strings.Contains(f.Message, "index out of range") {
			t.Error(f.Message)
		}
	}()
	var none []int
	_ = none[len(none)]
}
