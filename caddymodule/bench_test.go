package caddymodule_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/hook"
)

// instant is a store and a queue that take everything at once, so that what is
// measured is the way there and back.
type instant struct{}

func (instant) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "hookgate.stores.instant", New: func() caddy.Module { return new(instant) }}
}

func (instant) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

func (instant) OpenStore(app.Env) (hook.Store, app.Handle, error) {
	return instantStore{}, instantHandle{}, nil
}

type instantQueue struct{ instant }

func (instantQueue) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "hookgate.queues.instant", New: func() caddy.Module { return new(instantQueue) }}
}

func (instantQueue) OpenQueue(app.Env) (hook.Queue, app.Handle, error) {
	return instantEvents{}, instantHandle{}, nil
}

type instantHandle struct{}

func (instantHandle) Start() error   { return nil }
func (instantHandle) Release() error { return nil }

type instantStore struct{}

func (instantStore) Claim(context.Context, hook.Claim) (hook.State, hook.Fingerprint, error) {
	return hook.Ours, hook.Fingerprint{}, nil
}
func (instantStore) Renew(context.Context, hook.Claim) (bool, error) { return true, nil }
func (instantStore) Release(context.Context, hook.Claim) error       { return nil }
func (instantStore) Commit(context.Context, ...hook.Claim) error     { return nil }
func (instantStore) Ready() error                                    { return nil }

type instantEvents struct{}

func (instantEvents) Publish(context.Context, *hook.Event) (hook.Receipt, error) {
	return hook.Receipt{}, nil
}

func (instantEvents) Park(context.Context, *hook.Event, hook.Fault) (hook.Receipt, error) {
	return hook.Receipt{}, nil
}
func (instantEvents) Ready() error { return nil }

// socket is a response writer that throws the answer away, and takes deadlines
// as a connection does.
type socket struct {
	header http.Header
	status int
}

func (s *socket) Header() http.Header              { return s.header }
func (s *socket) Write(p []byte) (int, error)      { return len(p), nil }
func (s *socket) WriteHeader(status int)           { s.status = status }
func (s *socket) SetReadDeadline(time.Time) error  { return nil }
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// drained answers as the floor of make bench does.
type drained struct{}

func (drained) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.drained", New: func() caddy.Module { return new(drained) }}
}

func (drained) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	_, err := io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusAccepted)
	return err
}

// BenchmarkRequest is a request on its way through Caddy and all handlers of a
// hook, without net/http, store and queue; and through Caddy alone.
func BenchmarkRequest(b *testing.B) {
	caddy.RegisterModule(instant{})
	caddy.RegisterModule(instantQueue{})
	caddy.RegisterModule(drained{})
	b.Setenv("XDG_DATA_HOME", b.TempDir())
	b.Setenv("XDG_CONFIG_HOME", b.TempDir())
	const global = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n\tlog {\n\t\tlevel ERROR\n\t}\n"
	for _, bb := range []struct{ name, config, handler string }{
		{"hook", global + "\thookgate {\n\t\tstore instant\n\t\tqueue instant\n\t}\n}\nhttp://127.0.0.1:0 {\n\tgenesys_webhook /hook\n}\n", ""},
		{"bare", global + "}\nhttp://127.0.0.1:0 {\n\trespond /hook 202\n}\n", "drained"},
	} {
		b.Run(bb.name, func(b *testing.B) { benchmarkRequest(b, bb.config, bb.handler) })
	}
}

func benchmarkRequest(b *testing.B, config, handler string) {
	adapted, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(config), nil)
	if err != nil {
		b.Fatal(err)
	}
	if handler != "" {
		adapted = bytes.Replace(adapted, []byte(`"handler":"static_response","status_code":202`), []byte(`"handler":"`+handler+`"`), 1)
	}
	var cfg caddy.Config
	if err := json.Unmarshal(adapted, &cfg); err != nil {
		b.Fatal(err)
	}
	if err := caddy.Run(&cfg); err != nil {
		b.Fatal(err)
	}
	defer caddy.Stop()
	mod, err := caddy.ActiveContext().App("http")
	if err != nil {
		b.Fatal(err)
	}
	server := mod.(*caddyhttp.App).Servers["srv0"]
	template, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/hook", nil)
	if err != nil {
		b.Fatal(err)
	}
	template.RemoteAddr, template.RequestURI = "127.0.0.1:1234", "/hook"
	template.Header = http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Accept": {"application/json"}, "User-Agent": {"x"}}
	const start, end = `{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound","contactId":"98765432-10fe-dcba-0987-654321fedcba",` +
		`"contactNumber":"+14155550123","callOutcome":"answered","agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins",` +
		`"dispositionCode":"INTERESTED_CALLBACK","dispositionLabel":"Interested - Callback Scheduled","callDurationSeconds":142,` +
		`"timestamp":"2026-05-14T18:32:11.450Z","webhookEventId":"evt_`, `"}`
	w := &socket{header: make(http.Header)}
	body, reader := []byte(start), bytes.NewReader(nil)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		body = strconv.AppendInt(body[:len(start)], int64(n), 10)
		body = append(body, end...)
		reader.Reset(body)
		r := *template
		r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
		clear(w.header)
		server.ServeHTTP(w, &r)
		if w.status != http.StatusAccepted {
			b.Fatal(w.status)
		}
	}
}
