package app

import (
	"context"
	"fmt"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// listener is a handler of events that passes them on.
type listener struct{}

var heard = make(chan string, 8)

func (listener) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.hookgate_test", New: func() caddy.Module { return new(listener) }}
}

func (listener) Handle(_ context.Context, e caddy.Event) error {
	heard <- fmt.Sprint(e.Name(), e.Data["on"])
	return nil
}

func TestASwitchIsAnEventOfCaddys(t *testing.T) {
	announce(true) // no config runs: nobody hears of it
	caddy.RegisterModule(listener{})
	err := caddy.Load([]byte(`{"admin":{"disabled":true,"config":{"persist":false}},"apps":{"events":{"subscriptions":[
		{"events":["hookgate_fallback"],"handlers":[{"handler":"hookgate_test"}]}]}}}`), true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = caddy.Stop() }()
	for _, on := range []bool{true, false} {
		announce(on)
		if got := <-heard; got != fmt.Sprint(EventFallback, on) {
			t.Errorf("got %s", got)
		}
	}
}
