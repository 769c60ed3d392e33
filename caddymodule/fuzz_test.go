package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/hookgate/hookgate/caddymodule"
)

// reads reports whether a Caddyfile makes Caddy read files or the environment,
// which is no business of a fuzz test.
func reads(input []byte) bool {
	return bytes.Contains(input, []byte("import")) || bytes.Contains(input, []byte("{$"))
}

// place is where an error says that it is.
var place = regexp.MustCompile(`\bCaddyfile:\d+`)

// Whatever stands in a Caddyfile: it is adapted, or there is an error, and one
// of ours says where.
func FuzzCaddyfile(f *testing.F) {
	files, _ := filepath.Glob("../integration/adapt/*.caddyfiletest")
	if len(files) == 0 {
		f.Fatal("no golden files")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if input, becomes, _ := strings.Cut(string(raw), "----------\n"); !strings.HasPrefix(becomes, "error:") {
			f.Add([]byte(input)) // those with errors are as good, and too many
		}
	}
	f.Add([]byte(":80\nwebhook_allow @unknown"))
	adapter := caddyconfig.GetAdapter("caddyfile")
	f.Fuzz(func(t *testing.T, input []byte) {
		if reads(input) {
			return
		}
		out, _, err := adapter.Adapt(input, map[string]any{"filename": "Caddyfile"})
		switch {
		case err != nil:
			ours := strings.Contains(err.Error(), "tokens for 'webhook_") || strings.Contains(err.Error(), "tokens for 'genesys_webhook'") ||
				strings.Contains(err.Error(), "tokens for 'fail_fast'") || strings.Contains(err.Error(), "tokens for 'hookgate")
			if ours && !place.MatchString(err.Error()) {
				t.Errorf("the error has no place: %v", err)
			}
		case !json.Valid(out):
			t.Errorf("it becomes %q", out)
		}
	})
}

// unmarshalers are the modules that read a block of a Caddyfile, what they are
// called there, and what may follow: few of each, because a run of a test with
// all of Caddy in it takes its time.
var unmarshalers = []struct {
	id, name string
	rest     []string
}{
	{"http.handlers.fail_fast", "fail_fast", []string{"", " 500ms {\n\tmax_in_flight 3\n\tmax_refused 10/s\n\tname a\n}", " {\n\t{\n\t}\n}"}},
	{"http.handlers.webhook_allow", "webhook_allow", []string{" any", " private_ranges", " genesys a {\n\tobserve\n}", " file /a b"}},
	{"http.handlers.webhook_auth", "webhook_auth", []string{" header X-Token {env.A} {env.B}", " {\n\theader X-A {file./a}\n\thub_signature {env.B}\n\tmax_body 1MiB\n}"}},
	{"http.handlers.webhook_validate", "webhook_validate", []string{" {\n\tname a\n\tcontract file /a\n\tevent_id /a /b\n\tmax_event_age 1h\n}", " {\n\tevent_id header X-Id\n\tany_media_type\n}"}},
	{"http.handlers.webhook_dedup", "webhook_dedup", []string{" {\n\tttl 1h\n\tlease 2s\n}"}},
	{"http.handlers.webhook_publish", "webhook_publish", []string{" {\n\tformat celery a.b {\n\t\tqueue q\n\t}\n}", " {\n\tqueue q\n\tformat raw\n}"}},
	{"http.handlers.webhook_problem", "webhook_problem", []string{" x"}},
	{"http.handlers.hookgate_health", "hookgate_health", []string{" {\n}"}},
	{"http.matchers.client_ip_source", "client_ip_source", []string{" private_ranges", " 10.0.0.0/8 ::1", " file /a b"}},
	{"http.ip_sources.genesys", "genesys", []string{"", " a b"}},
	{"http.ip_sources.genesys_file", "genesys_file", []string{" /a b"}},
	{"hookgate", "hookgate", []string{" {\n\tdata_dir /a\n\tstore redis redis://h {\n\t\tmode sentinel m\n\t}\n\tqueue rabbitmq amqp://h\n\tconsumer {\n\t\tlog\n\t}\n}"}},
	{"hookgate.stores.embedded", "embedded", []string{" x"}},
	{"hookgate.stores.redis", "redis", []string{" redis://u:p@h:1/2 redis://h", " {env.A} {\n\tfallback postgres {env.B}\n}"}},
	{"hookgate.queues.embedded", "embedded", []string{" {\n\tmax_size 1GiB\n}"}},
	{"hookgate.queues.rabbitmq", "rabbitmq", []string{" amqps://h/v {\n\ttls {\n\t\tca /a\n\t\tserver_name s\n\t}\n\tprefix p\n\ttopology passive\n\tspool\n}"}},
	{"hookgate.handlers.forward", "forward", []string{" http://h/ {\n\theader A b\n\ttimeout 1s\n}"}},
	{"hookgate.handlers.postgres", "postgres", []string{" {env.A} table"}},
	{"hookgate.handlers.log", "log", []string{" \"\""}},
}

// Each reads what follows its name, or says where it cannot; and what it has
// read is the same after its way through JSON.
func FuzzUnmarshalers(f *testing.F) {
	for i, u := range unmarshalers {
		for _, rest := range u.rest {
			f.Add(uint8(i), rest)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, rest string) {
		u := unmarshalers[int(which)%len(unmarshalers)]
		tokens, err := caddyfile.Tokenize([]byte(u.name+rest), "Caddyfile")
		if err != nil || reads([]byte(rest)) || len(tokens) == 0 || tokens[0].Text != u.name {
			return // nothing that reaches a module
		}
		info, err := caddy.GetModule(u.id)
		if err != nil {
			t.Fatal(err)
		}
		mod := info.New()
		if err := mod.(caddyfile.Unmarshaler).UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
			if !place.MatchString(err.Error()) {
				t.Errorf("the error has no place: %v", err)
			}
			return
		}
		written, err := json.Marshal(mod)
		if err != nil {
			t.Fatal(err)
		}
		again := info.New()
		if err := caddy.StrictUnmarshalJSON(written, again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if rewritten, err := json.Marshal(again); err != nil || !bytes.Equal(rewritten, written) {
			t.Errorf("%s became %s, %v", written, rewritten, err)
		}
	})
}
