package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/hook"
)

// A dead letter has its fault in the header of a message, which RabbitMQ takes
// up to 128 KiB of. What it does not take is handed out again.
func TestAFaultOfAHandlerIsKeptWithinBounds(t *testing.T) {
	long := strings.Repeat("ä", maxMessage)
	given := hook.Fault{Kind: hook.KindInvalid, Message: "two\nlines " + long, Status: 1000}
	for range 1000 {
		given.Violations = append(given.Violations, hook.Violation{Pointer: "/" + long, Code: "t\x00ype"})
	}
	at := time.Date(2026, 5, 14, 18, 0, 0, 0, time.UTC)
	got := completeFault(given, &hook.Event{Attempt: 2}, time.Time{}, at)
	if len(got.Message) > maxMessage+3 || !strings.HasPrefix(got.Message, "two lines ä") {
		t.Errorf("the message is %q", got.Message)
	}
	if len(got.Violations) != maxViolations {
		t.Errorf("%d violations", len(got.Violations))
	}
	if v := got.Violations[0]; len(v.Pointer) > maxMessage+3 || v.Code != "t ype" {
		t.Errorf("a violation is %q", v)
	}
	if given.Violations[0].Code != "t\x00ype" {
		t.Error("the handler's own was changed")
	}
	got.Message, got.Violations = "", nil
	if diff := cmp.Diff(hook.Fault{Kind: hook.KindInvalid, Attempt: 3, Time: at, First: at}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
