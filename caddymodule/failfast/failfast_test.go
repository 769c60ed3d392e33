package failfast

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/hook"
)

func TestAnErrorAtTheDeadlineSaysWhatIsKnownOfTheEvent(t *testing.T) {
	over, cancel := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), errBudget{})
	defer cancel()
	timeout := fmt.Errorf("waiting: %w", context.Cause(over))
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		want hook.Code
	}{
		{"a handler that knows its code", over, problem.Error(&hook.Error{Code: hook.CodeInFlight, Err: timeout}), hook.CodeInFlight},
		{"our own deadline in a body", over, problem.Error(timeout), hook.CodeDeadlineExceeded},
		{"an upstream that got no connection", over, caddyhttp.Error(http.StatusGatewayTimeout, errors.Join(reverseproxy.DialError{}, timeout)), hook.CodeDeadlineExceeded},
		{"an upstream that does not answer", over, caddyhttp.Error(http.StatusGatewayTimeout, timeout), hook.CodeOutcomeUnknown},
		{"a handler of somebody else", over, timeout, hook.CodeOutcomeUnknown},
		{"another error", over, errors.New("x"), hook.CodeInternal},
		{"a deadline that is not ours", t.Context(), context.DeadlineExceeded, hook.CodeDeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := hook.CodeOf(late(tc.ctx, tc.err)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	if late(over, nil) != nil {
		t.Error("what went well is an error")
	}
}
