package failfast

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/request"
)

// newRequest returns a request from an address, as Caddy hands it on.
func newRequest(addr string) (*httptest.ResponseRecorder, *http.Request) {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, addr)
	return w, r
}

func newState(t *testing.T) (*http.Request, *request.State) {
	t.Helper()
	_, r := newRequest("192.0.2.1")
	return r, request.Of(r)
}

// newHandler provisions a handler.
func newHandler(t *testing.T, h *Handler) *Handler {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Validate(); err != nil {
		t.Fatal(err)
	}
	return h
}

// overBudget returns a context that our deadline has ended.
func overBudget(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), errBudget{})
	t.Cleanup(cancel)
	return ctx
}
