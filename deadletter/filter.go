package deadletter

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// Filter says which letters are meant. A letter must meet all of it; the zero
// Filter means all letters.
type Filter struct {
	Hook    string    `json:"hook,omitempty"`     // the name of the hook
	Kind    hook.Kind `json:"kind,omitempty"`     // of the fault
	Error   string    `json:"error,omitempty"`    // a part of what went wrong, in upper or lower case
	Status  string    `json:"status,omitempty"`   // of the downstream: 503, or 5xx
	Since   time.Time `json:"since,omitzero"`     // failed then or later
	Until   time.Time `json:"until,omitzero"`     // failed before
	EventID string    `json:"event_id,omitempty"` // all of it
	IDs     []string  `json:"ids,omitempty"`      // one of these letters
	Where   []Where   `json:"where,omitempty"`    // each of these values is in the body
}

// ErrNoScope means that nobody said which letters are meant, where that must be
// said.
var ErrNoScope = errors.New("say which letters are meant: by their IDs, by a filter, or all of them")

// Empty reports whether all letters are meant.
func (f *Filter) Empty() bool {
	return f.Hook == "" && f.Kind == "" && f.Error == "" && f.Status == "" && f.Since.IsZero() && f.Until.IsZero() &&
		f.EventID == "" && len(f.IDs) == 0 && len(f.Where) == 0
}

// Match reports whether a letter is meant.
func (f *Filter) Match(l *hook.DeadLetter) bool {
	ev := l.Event
	switch {
	case f.Hook != "" && ev.Hook != f.Hook,
		f.Kind != "" && l.Fault.Kind != f.Kind,
		f.Error != "" && !strings.Contains(strings.ToLower(explain(&l.Fault)), strings.ToLower(f.Error)),
		f.Status != "" && !matchStatus(f.Status, l.Fault.Status),
		!f.Since.IsZero() && l.Fault.Time.Before(f.Since),
		!f.Until.IsZero() && (l.Fault.Time.IsZero() || !l.Fault.Time.Before(f.Until)),
		f.EventID != "" && ev.ID != f.EventID,
		len(f.IDs) > 0 && !slices.Contains(f.IDs, l.ID):
		return false
	}
	for _, w := range f.Where {
		if !w.match(ev.Body) {
			return false
		}
	}
	return true
}

// matcher returns Match, made fast for many IDs.
func (f *Filter) matcher() func(*hook.DeadLetter) bool {
	if len(f.IDs) < 8 {
		return f.Match
	}
	ids := make(map[string]struct{}, len(f.IDs))
	for _, id := range f.IDs {
		ids[id] = struct{}{}
	}
	rest := *f
	rest.IDs = nil
	return func(l *hook.DeadLetter) bool {
		_, ok := ids[l.ID]
		return ok && rest.Match(l)
	}
}

// The names that Set knows.
const (
	FieldHook    = "hook"
	FieldKind    = "kind"
	FieldError   = "error"
	FieldStatus  = "status"
	FieldSince   = "since"
	FieldUntil   = "until"
	FieldEventID = "event_id"
	FieldID      = "id"    // may be set many times
	FieldWhere   = "where" // may be set many times
)

// Set reads one part of a filter as a person writes it. Its errors do not quote
// the value of an event ID or of a body.
func (f *Filter) Set(field, value string, now time.Time) (err error) {
	if value == "" {
		return fmt.Errorf("%s: it is empty", field)
	}
	switch field {
	case FieldHook:
		f.Hook = value
	case FieldKind:
		f.Kind = hook.Kind(value)
	case FieldError:
		f.Error = value
	case FieldStatus:
		f.Status = strings.ToLower(value)
	case FieldSince:
		f.Since, err = parseTime(value, now)
	case FieldUntil:
		f.Until, err = parseTime(value, now)
	case FieldEventID:
		f.EventID = value
	case FieldID:
		f.IDs = append(f.IDs, value)
	case FieldWhere:
		var w Where
		w, err = ParseWhere(value)
		f.Where = append(f.Where, w)
	default:
		return fmt.Errorf("%s is unknown", field)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return f.Check()
}

var (
	letterPattern = regexp.MustCompile(`^[0-9a-f]{16}$`)
	statusPattern = regexp.MustCompile(`^[1-5]([0-9]{2}|xx)$`)
)

// kinds of the faults of dead letters.
var kinds = []hook.Kind{hook.KindInvalid, hook.KindConflict, hook.KindPermanent, hook.KindExhausted, hook.KindPoison}

// Check returns what is wrong with a filter.
func (f *Filter) Check() error {
	if f.Hook != "" && !hook.ValidName(f.Hook) {
		return fmt.Errorf("%s: %q cannot name a hook", FieldHook, f.Hook)
	}
	if f.Kind != "" && !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("%s: %q is not one of %s", FieldKind, f.Kind, joinKinds())
	}
	if f.Status != "" && !statusPattern.MatchString(f.Status) {
		return fmt.Errorf("%s: %q is not a status such as 503, nor a class such as 5xx", FieldStatus, f.Status)
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("%s is not before %s: nothing can match", FieldSince, FieldUntil)
	}
	for _, id := range f.IDs {
		if !letterPattern.MatchString(id) {
			return fmt.Errorf("%s: %q is not the ID of a letter, which has 16 of 0-9 and a-f", FieldID, id)
		}
	}
	return nil
}

func joinKinds() string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func matchStatus(want string, got int) bool {
	if class, ok := strings.CutSuffix(want, "xx"); ok {
		return strconv.Itoa(got/100) == class
	}
	return strconv.Itoa(got) == want
}
