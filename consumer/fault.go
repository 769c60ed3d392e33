package consumer

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hookgate/hookgate/hook"
)

// faultIn returns the fault that an error of a handler is: one of the handler's
// own, any other error as a transient one, and nil for none.
func faultIn(err error) *hook.Fault {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*hook.Fault](err); ok {
		if own == nil {
			return nil // of a handler that returns its *hook.Fault without a look
		}
		f := *own // it may be the handler's for all events
		return &f
	}
	return &hook.Fault{Kind: hook.KindTransient, Message: err.Error(), Err: err}
}

// completeFault returns what is kept of a fault.
func completeFault(f hook.Fault, ev *hook.Event, first, now time.Time) hook.Fault {
	if !deadly(f.Kind) {
		f.Kind = hook.KindTransient
	}
	f.Message = tidy(f.Message)
	f.Violations = slices.Clone(f.Violations[:min(len(f.Violations), maxViolations)])
	for i := range f.Violations {
		v := &f.Violations[i]
		v.Pointer, v.Code = tidy(v.Pointer), tidy(v.Code)
	}
	if f.Status < 0 || f.Status > maxStatus {
		f.Status = 0 // a queue that could not keep it would hand the event out for ever
	}
	f.Attempt = ev.Attempt + 1
	f.Time, f.First = now, first
	if f.First.IsZero() || f.First.After(now) {
		f.First = now
	}
	return f
}

// deadly reports whether a fault of a kind makes a dead letter at once.
func deadly(k hook.Kind) bool {
	return k == hook.KindPermanent || k == hook.KindInvalid || k == hook.KindConflict
}

// panicFault returns the fault of a panic. Its value may hold anything, so only
// the runtime's own is told.
func panicFault(v any) *hook.Fault {
	text := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		text = err.Error()
	}
	return &hook.Fault{Kind: hook.KindTransient, Message: "the handler panicked: " + text}
}

// tidy makes a message one line of valid UTF-8 that is not too long for the
// header of a message.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return s
}

// firstFault returns when an event failed for the first time, as far as its
// delivery knows.
func firstFault(d hook.Delivery) time.Time {
	if f, ok := d.(hook.Failed); ok {
		return f.FirstFault()
	}
	return time.Time{}
}
