package auth

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
)

func TestTheDirectiveIsParsed(t *testing.T) {
	for _, tc := range []struct {
		name, input string
		want        Handler
	}{
		{"with a header on its line", `webhook_auth header X-Edge-Token {env.A}`, Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: "X-Edge-Token", Secrets: []string{"{env.A}"}}}}},
		{"with a header and two secrets", `webhook_auth header X-Edge-Token {file./run/secrets/a} {file./run/secrets/b}`, Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: "X-Edge-Token", Secrets: []string{"{file./run/secrets/a}", "{file./run/secrets/b}"}}}}},
		{"with text around a secret", `webhook_auth header Authorization "Bearer {env.A}"`, Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: "Authorization", Secrets: []string{"Bearer {env.A}"}}}}},
		{"with a signature on its line", `webhook_auth hub_signature {env.A}`, Handler{Rules: []Rule{{Scheme: SchemeHubSignature, Secrets: []string{"{env.A}"}}}}},
		{"with Standard Webhooks on its line", `webhook_auth standard_webhooks {env.A} {env.B}`, Handler{Rules: []Rule{{Scheme: SchemeStandardWebhooks, Secrets: []string{"{env.A}", "{env.B}"}}}}},
		{
			"with a block", "webhook_auth {\n\theader X-Edge-Token {env.A}\n\thub_signature {env.B} {env.C}\n\tstandard_webhooks {env.D}\n\tmax_body 1MiB\n}",
			Handler{MaxBody: 1 << 20, Rules: []Rule{
				{Scheme: SchemeHeader, Header: "X-Edge-Token", Secrets: []string{"{env.A}"}},
				{Scheme: SchemeHubSignature, Secrets: []string{"{env.B}", "{env.C}"}},
				{Scheme: SchemeStandardWebhooks, Secrets: []string{"{env.D}"}},
			}},
		},
		{
			"with a line and a block", "webhook_auth header X-A {env.A} {\n\theader X-B {env.A}\n}",
			Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{"{env.A}"}}, {Scheme: SchemeHeader, Header: "X-B", Secrets: []string{"{env.A}"}}}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h Handler
			if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want.Rules, h.Rules); diff != "" || h.MaxBody != tc.want.MaxBody {
				t.Errorf("max_body %d, %s", h.MaxBody, diff)
			}
		})
	}
}

func TestTheDirectiveRefuses(t *testing.T) {
	const literal = "a secret does not stand here itself: write {env.NAME} or {file./path}"
	for _, tc := range []struct{ name, input, want string }{
		{"no rule", `webhook_auth`, "webhook_auth: a rule is missing"},
		{"an empty block", "webhook_auth {\n}", "webhook_auth: a rule is missing"},
		{"a block without a rule", "webhook_auth {\n\tmax_body 1KiB\n}", "webhook_auth: a rule is missing"},
		{"an unknown scheme", `webhook_auth password {env.A}`, `"password" is none of header, hub_signature, standard_webhooks`},
		{"an unknown subdirective", "webhook_auth {\n\tpassword {env.A}\n}", `unknown subdirective "password"`},
		{"a block within a rule", "webhook_auth {\n\thub_signature {env.A} {\n\t\tx\n\t}\n}", `unknown subdirective "{"`},
		{"a header without a name", `webhook_auth header`, "header needs the name of a header field and a secret"},
		{"a header without a secret", `webhook_auth header X-A`, "header needs the name of a header field and a secret"},
		{"an empty header name", `webhook_auth header "" {env.A}`, `"" is no name of a header field`},
		{"a header name with a colon", `webhook_auth header X-A: {env.A}`, `"X-A:" is no name of a header field`},
		{"a header name with a space", `webhook_auth header "X A" {env.A}`, `"X A" is no name of a header field`},
		{"a header name that is a placeholder", `webhook_auth header {env.N} {env.A}`, `"{env.N}" is no name of a header field`},
		{"a header name that is not ASCII", `webhook_auth header Schlüssel {env.A}`, `is no name of a header field`},
		{"a header name with an underscore", `webhook_auth header X_Edge_Token {env.A}`, `"X_Edge_Token": Caddy and other proxies drop`},
		{"a header name with a dot in a block", "webhook_auth {\n\theader X.Edge {env.A}\n}", `"X.Edge": Caddy and other proxies drop`},
		{"a signature without a secret", `webhook_auth hub_signature`, "hub_signature needs one secret, or two"},
		{"Standard Webhooks without a secret", "webhook_auth {\n\tstandard_webhooks\n}", "standard_webhooks needs one secret, or two"},
		{"three secrets of a header", `webhook_auth header X-A {env.A} {env.B} {env.C}`, "header needs one secret, or two"},
		{"three secrets of a signature", `webhook_auth hub_signature {env.A} {env.B} {env.C}`, "hub_signature needs one secret, or two"},
		{"the same secret twice", `webhook_auth header X-A {env.A} {env.A}`, "the two secrets are the same"},
		{"a literal secret of a header", `webhook_auth header X-A hunter2`, literal},
		{"a literal secret of a signature", `webhook_auth hub_signature {env.A} hunter2`, literal},
		{"a literal secret of Standard Webhooks", `webhook_auth standard_webhooks whsec_aHVudGVyMg==`, literal},
		{"an empty secret", `webhook_auth header X-A ""`, literal},
		{"a placeholder of the request's", `webhook_auth header X-A {http.request.header.X-B}`, literal},
		{"a placeholder of the request's beside a secret", `webhook_auth header X-A {env.A}{http.request.header.X-B}`, literal},
		{"a placeholder that is no secret", `webhook_auth header X-A {system.hostname}`, literal},
		{"a placeholder without a name", `webhook_auth header X-A {env.}`, literal},
		{"an escaped placeholder", "webhook_auth header X-A `\\{env.A\\}`", literal},
		{"an open brace", `webhook_auth header X-A "{env.A} {hunter2"`, literal},
		{"a size that is none", "webhook_auth {\n\thub_signature {env.A}\n\tmax_body much\n}", `max_body: "much" is not a size`},
		{"two sizes", "webhook_auth {\n\thub_signature {env.A}\n\tmax_body 1KiB 2KiB\n}", "max_body: too many arguments"},
		{"a size repeated", "webhook_auth {\n\thub_signature {env.A}\n\tmax_body 1KiB\n\tmax_body 1KiB\n}", "max_body is already specified"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := new(Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestADirectiveInsideABlockLeavesTheRestOfTheBlock(t *testing.T) {
	for _, input := range []string{
		"webhook_auth header X-A {env.A}",
		"webhook_auth {\n\t\t\theader X-A {env.A}\n\t\t}",
	} {
		d := caddyfile.NewTestDispenser("site {\n\troute {\n\t\t" + input + "\n\t\tafter\n\t}\n}")
		d.Next()
		if !d.NextBlock(0) || !d.NextBlock(1) {
			t.Fatal("no block")
		}
		var h Handler
		if err := h.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil || len(h.Rules) != 1 {
			t.Errorf("%s: %d rules, %v", input, len(h.Rules), err)
		}
		if !d.NextBlock(1) || d.Val() != "after" {
			t.Errorf("%s: the next token is %q", input, d.Val())
		}
	}
}

func TestParseRuleReadsTheRestOfALineInABlock(t *testing.T) {
	d := caddyfile.NewTestDispenser("hook {\n\tauth header X-A {env.A} {env.B}\n\tauth hub_signature {env.C}\n\tauth\n}")
	d.Next()
	for _, want := range []Rule{
		{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{"{env.A}", "{env.B}"}},
		{Scheme: SchemeHubSignature, Secrets: []string{"{env.C}"}},
	} {
		if !d.NextBlock(0) || d.Val() != "auth" {
			t.Fatalf("the next token is %q", d.Val())
		}
		got, err := ParseRule(d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	d.NextBlock(0)
	if _, err := ParseRule(d); err == nil || !strings.Contains(err.Error(), "auth: a scheme is missing") {
		t.Errorf("got %v", err)
	}
}

func TestTheHandlersJSONComesBackTheSame(t *testing.T) {
	const want = `{"rules":[{"scheme":"header","header":"X-A","secrets":["{env.A}","{env.B}"]},{"scheme":"hub_signature","secrets":["{env.C}"]}],"max_body":1024}`
	var h Handler
	if err := caddy.StrictUnmarshalJSON([]byte(want), &h); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(&h)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
