package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/hook"
)

// secret keeps a value where a rule finds it.
func secret(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "{file." + path + "}"
}

func provision(t *testing.T, h *Handler) *Handler {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

// serve passes a request through the handler, and returns what the next one
// read of its body.
func serve(t *testing.T, h *Handler, header http.Header, body io.Reader) (passed bool, read string, err error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	r.Header = header
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	err = h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		data, err := io.ReadAll(r.Body)
		passed, read = true, string(data)
		return err
	}))
	if w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("the handler answered itself: %v %s", w.Header(), w.Body)
	}
	return passed, read, err
}

// refusedWith holds an error against what the answer must be.
func refusedWith(t *testing.T, err error, status int, code hook.Code) *hook.Error {
	t.Helper()
	// Not errors.As: the server looks at the outermost error only.
	he, ok := err.(caddyhttp.HandlerError)
	if !ok || he.StatusCode != status || hook.CodeOf(err) != code {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
	e, _ := errors.AsType[*hook.Error](err)
	return e
}

func TestARequestPassesWithItsBodyWhenAllRulesAreMet(t *testing.T) {
	const body = `{"id":"1"}`
	key := strings.Repeat("k", 32)
	h := provision(t, &Handler{Rules: []Rule{
		{Scheme: SchemeStandardWebhooks, Secrets: []string{secret(t, "whsec_"+base64.StdEncoding.EncodeToString([]byte(key))+"\n")}},
		{Scheme: SchemeHubSignature, Secrets: []string{secret(t, "hub")}},
		{Scheme: SchemeHeader, Header: "Authorization", Secrets: []string{"Bearer " + secret(t, "old\n"), "Bearer " + secret(t, "new\n")}},
	}})
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	all := func() http.Header {
		return header(
			"Authorization", "Bearer new",
			"X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(mac("hub", body)),
			"Webhook-Id", "1", "Webhook-Timestamp", stamp, "Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(key, "1."+stamp+"."+body)),
		)
	}
	passed, read, err := serve(t, h, all(), strings.NewReader(body))
	if !passed || err != nil || read != body {
		t.Errorf("got %t, %q, %v", passed, read, err)
	}
	for _, name := range []string{"Authorization", "X-Hub-Signature-256", "Webhook-Signature"} {
		rest := all()
		rest.Del(name)
		passed, _, err := serve(t, h, rest, strings.NewReader(body))
		if passed {
			t.Errorf("passed without %s", name)
		}
		refusedWith(t, err, http.StatusUnauthorized, hook.CodeUnauthorized)
	}
}

func TestARefusalDoesNotSayWhatWasWrong(t *testing.T) {
	const body = `{"id":"1"}`
	key := strings.Repeat("k", 32)
	hour := strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	right := func(stamp string) string {
		return "v1," + base64.StdEncoding.EncodeToString(mac(key, "1."+stamp+"."+body))
	}
	challenge := regexp.MustCompile(`^[A-Za-z]+ realm="webhooks"$`) // RFC 9110, section 11.3
	for _, tc := range []struct {
		name    string
		rule    Rule
		headers []http.Header
		code    hook.Code
	}{
		{
			"a header",
			Rule{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{secret(t, "right")}},
			[]http.Header{header(), header("X-A", "wrong"), header("X-A", "right", "X-A", "right")},
			hook.CodeUnauthorized,
		},
		{
			"a hub signature",
			Rule{Scheme: SchemeHubSignature, Secrets: []string{secret(t, "right")}},
			[]http.Header{header(), header("X-Hub-Signature-256", "sha256=AAAA"), header("X-Hub-Signature-256", "!")},
			hook.CodeUnauthorized,
		},
		{
			"a standard webhook",
			Rule{Scheme: SchemeStandardWebhooks, Secrets: []string{secret(t, base64.StdEncoding.EncodeToString([]byte(key)))}},
			[]http.Header{header(), header("Webhook-Id", "1", "Webhook-Timestamp", hour, "Webhook-Signature", "v1,AAAA")},
			hook.CodeUnauthorized,
		},
		{
			"an old standard webhook",
			Rule{Scheme: SchemeStandardWebhooks, Secrets: []string{secret(t, base64.StdEncoding.EncodeToString([]byte(key)))}},
			[]http.Header{header("Webhook-Id", "1", "Webhook-Timestamp", hour, "Webhook-Signature", right(hour))},
			hook.CodeStale,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := provision(t, &Handler{Rules: []Rule{tc.rule}})
			for _, hd := range tc.headers {
				passed, _, err := serve(t, h, hd, strings.NewReader(body))
				if passed {
					t.Fatalf("passed with %v", hd)
				}
				e := refusedWith(t, err, http.StatusUnauthorized, tc.code)
				if e.Detail != "" || e.Err != nil { // problem has one text for each code
					t.Errorf("it says %q, %v", e.Detail, e.Err)
				}
				if !challenge.MatchString(e.Challenge) {
					t.Errorf("the challenge is %q", e.Challenge)
				}
			}
		})
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestAHeaderRuleIsCheckedBeforeTheBodyIsRead(t *testing.T) {
	h := provision(t, &Handler{Rules: []Rule{
		{Scheme: SchemeHubSignature, Secrets: []string{secret(t, "hub")}},
		{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{secret(t, "right")}},
	}})
	_, _, err := serve(t, h, header("X-A", "wrong"), unread{t})
	refusedWith(t, err, http.StatusUnauthorized, hook.CodeUnauthorized)
}

func TestAHeaderRuleAloneLeavesTheBodyToOthers(t *testing.T) {
	h := provision(t, &Handler{MaxBody: 1, Rules: []Rule{{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{secret(t, "right")}}}})
	passed, read, err := serve(t, h, header("X-A", "right"), strings.NewReader("a body"))
	if !passed || read != "a body" || err != nil {
		t.Errorf("got %t, %q, %v", passed, read, err)
	}
}

// late is a body that does not come.
type late struct{}

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestErrorsOfTheBodyAreReturnedAsTheyAre(t *testing.T) {
	signed := func(body []byte) http.Header {
		return header("X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(mac("hub", string(body))))
	}
	rules := []Rule{{Scheme: SchemeHubSignature, Secrets: []string{secret(t, "hub")}}}
	for _, tc := range []struct {
		name    string
		maxBody int64
		size    int
		code    hook.Code // "" for none
	}{
		{"at the cap", 10, 10, ""},
		{"above the cap", 10, 11, hook.CodeBodyTooLarge},
		{"at the default cap", 0, 64 << 10, ""},
		{"above the default cap", 0, 64<<10 + 1, hook.CodeBodyTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := provision(t, &Handler{MaxBody: tc.maxBody, Rules: rules})
			body := bytes.Repeat([]byte("x"), tc.size)
			passed, _, err := serve(t, h, signed(body), bytes.NewReader(body))
			if tc.code == "" {
				if !passed || err != nil {
					t.Errorf("got %t, %v", passed, err)
				}
				return
			}
			if passed {
				t.Error("it passed")
			}
			refusedWith(t, err, http.StatusRequestEntityTooLarge, tc.code)
		})
	}
	t.Run("too late", func(t *testing.T) {
		_, _, err := serve(t, provision(t, &Handler{Rules: rules}), signed(nil), late{})
		refusedWith(t, err, http.StatusGatewayTimeout, hook.CodeDeadlineExceeded)
	})
}

func TestTwoFilesWithTheSameSecretAreHowAChangeBegins(t *testing.T) {
	h := provision(t, &Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{secret(t, "same"), secret(t, "same")}}}})
	if passed, _, err := serve(t, h, header("X-A", "same"), nil); !passed || err != nil {
		t.Errorf("got %t, %v", passed, err)
	}
}

func TestTheHandlerIsNotProvisioned(t *testing.T) {
	t.Setenv("HOOKGATE_TEST_EMPTY", "")
	t.Setenv("HOOKGATE_TEST_SHORT", "hunter2")
	const literal = "a secret does not stand here itself"
	rule := func(members string) string { return `{"rules":[{` + members + `}]}` }
	for _, tc := range []struct{ name, config, want string }{
		{"without rules", `{}`, "webhook_auth: a rule is required"},
		{"with a negative size", `{"max_body":-1,"rules":[{"scheme":"hub_signature","secrets":["{env.HOOKGATE_TEST_SHORT}"]}]}`, "max_body: -1 is not a size"},
		{"with a member that is not known", `{"rule":[]}`, "rule"},
		{"without a scheme", rule(`"secrets":["{env.A}"]`), `"" is none of header, hub_signature, standard_webhooks`},
		{"with an unknown scheme", rule(`"scheme":"password","secrets":["{env.A}"]`), `"password" is none of`},
		{"with a header without a name", rule(`"scheme":"header","secrets":["{env.A}"]`), `"" is no name of a header field`},
		{"with a signature with a header", rule(`"scheme":"hub_signature","header":"X-A","secrets":["{env.A}"]`), "hub_signature has a header field of its own"},
		{"without secrets", rule(`"scheme":"hub_signature"`), "hub_signature needs one secret, or two"},
		{"with three secrets", rule(`"scheme":"hub_signature","secrets":["{env.A}","{env.B}","{env.C}"]`), "hub_signature needs one secret, or two"},
		{"with a secret twice", rule(`"scheme":"hub_signature","secrets":["{env.A}","{env.A}"]`), "the two secrets are the same"},
		{"with a literal secret", rule(`"scheme":"header","header":"X-A","secrets":["hunter2"]`), literal},
		{"with a literal second secret", rule(`"scheme":"hub_signature","secrets":["{env.A}","hunter2"]`), literal},
		{"with a secret that is not set", rule(`"scheme":"hub_signature","secrets":["{env.HOOKGATE_TEST_UNSET}"]`), "a secret of hub_signature: {env.HOOKGATE_TEST_UNSET} is not set: this process needs HOOKGATE_TEST_UNSET in its environment"},
		{"with a second secret that is not set", rule(`"scheme":"hub_signature","secrets":["{env.HOOKGATE_TEST_SHORT}","{env.HOOKGATE_TEST_UNSET}"]`), "{env.HOOKGATE_TEST_UNSET} is not set"},
		{"with an empty secret", rule(`"scheme":"header","header":"X-A","secrets":["{env.HOOKGATE_TEST_EMPTY}"]`), "a secret of header X-A: {env.HOOKGATE_TEST_EMPTY} is empty"},
		{"with an empty secret after a text", rule(`"scheme":"header","header":"X-A","secrets":["Bearer {env.HOOKGATE_TEST_EMPTY}"]`), "a secret of header X-A: {env.HOOKGATE_TEST_EMPTY} is empty"},
		{"with a file that is not there", rule(`"scheme":"header","header":"X-A","secrets":["{file./nonexistent/secret}"]`), "a secret of header X-A: {file./nonexistent/secret} cannot be read: no such file or directory"},
		{"with a file that ends in two line breaks", rule(`"scheme":"header","header":"X-A","secrets":["` + secret(t, "hunter2\n\n") + `"]`), "begins or ends with a space or line break"},
		{"with a short secret of Standard Webhooks", rule(`"scheme":"standard_webhooks","secrets":["{env.HOOKGATE_TEST_SHORT}"]`), "base64 of 24 to 64 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
			defer cancel()
			_, err := ctx.LoadModuleByID("http.handlers.webhook_auth", json.RawMessage(tc.config))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestAProvisionedHandlersJSONHoldsNoSecret(t *testing.T) {
	place := secret(t, "hunter2")
	h := provision(t, &Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: "X-A", Secrets: []string{place}}}})
	data, err := json.Marshal(h)
	if err != nil || strings.Contains(string(data), "hunter2") || !strings.Contains(string(data), place) {
		t.Errorf("got %s, %v", data, err)
	}
}

func TestARuleForAHeaderThatNeverArrivesIsRefused(t *testing.T) {
	t.Setenv("HOOKGATE_TEST_SECRET", "s")
	for _, name := range []string{"X_Edge_Token", "X.Edge.Token", "X Edge"} {
		h := &Handler{Rules: []Rule{{Scheme: SchemeHeader, Header: name, Secrets: []string{"{env.HOOKGATE_TEST_SECRET}"}}}}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		if err := h.Provision(ctx); err == nil || !strings.Contains(err.Error(), "webhook_auth: ") {
			t.Errorf("%q: %v", name, err)
		}
		cancel()
	}
}
