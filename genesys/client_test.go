package genesys_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

// rangesPath is a call that every client may make.
const rangesPath = "/api/v2/ipranges"

// api is a client of a server.
func api(t *testing.T, s *genesystest.Server, c genesystest.Client, set ...func(*genesys.Options)) genesys.API {
	t.Helper()
	opts := s.Options(c)
	for _, fn := range set {
		fn(&opts)
	}
	client, err := genesys.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return genesys.API{Sender: client}
}

func TestARolelessClientGetsTheRanges(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{TLS: true})
	s.SetRanges(genesystest.Outbound("data-actions", "192.0.2.0/24")...)
	raw, err := api(t, s, genesystest.Roleless).IPRanges(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"entities":[{"cidr":"192.0.2.0/24","service":"data-actions","region":"eu-central-1","direction":"outbound"}]}`; string(raw) != want {
		t.Errorf("got %s", raw)
	}
}

func TestOneTokenServesManyCalls(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Roleless)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := a.IPRanges(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(s.Calls(http.MethodPost, "/oauth/token")); n != 1 {
		t.Errorf("%d tokens were fetched", n)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 20 {
		t.Errorf("%d calls were made", n)
	}
}

func TestATokenThatIsRefusedIsFetchedAgainOnce(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Roleless)
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ExpireTokens()
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(s.Calls(http.MethodPost, "/oauth/token")); n != 2 {
		t.Errorf("%d tokens were fetched", n)
	}

	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.Unauthorized())
	_, err := a.IPRanges(t.Context())
	if e, ok := errors.AsType[*genesys.Error](err); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodPost, "/oauth/token")); n != 3 {
		t.Errorf("%d tokens were fetched", n)
	}
}

func TestATokenIsReplacedBeforeItsEnd(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{TokenLife: time.Second})
	a := api(t, s, genesystest.Roleless)
	deadline := time.Now().Add(30 * time.Second)
	for len(s.Calls(http.MethodPost, "/oauth/token")) < 2 {
		if _, err := a.IPRanges(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the token was never replaced")
		}
	}
}

func TestACallIsMadeAgainWhereGenesysSaysSo(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault genesystest.Fault
		calls int
		fails bool
	}{
		{"429", genesystest.TooManyRequests(0), 3, false},
		{"502", genesystest.Failing(502), 3, false},
		{"503", genesystest.Failing(503), 3, false},
		{"504", genesystest.Failing(504), 3, false},
		{"500, not", genesystest.Failing(500), 1, true},
		{"400, not", genesystest.Failing(400), 1, true},
		{"403, not", genesystest.MissingPermission("a:b:c"), 1, true},
		{"an answer that breaks off, not", genesystest.Fault{Truncate: true}, 1, true},
		{"a connection that breaks, not", genesystest.Fault{Reset: true}, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := genesystest.Start(t, genesystest.Options{})
			a := api(t, s, genesystest.Roleless, func(o *genesys.Options) {
				o.Transport = &http.Transport{DisableKeepAlives: true} // net/http makes a broken call again on a kept connection
			})
			s.Misbehave(http.MethodGet, rangesPath, 2, tc.fault)
			_, err := a.IPRanges(t.Context())
			if (err != nil) != tc.fails {
				t.Errorf("got %v", err)
			}
			if n := len(s.Calls(http.MethodGet, rangesPath)); n != tc.calls {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}

func TestTheNumberOfAttemptsIsBounded(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.Failing(503))
	_, err := api(t, s, genesystest.Roleless, func(o *genesys.Options) { o.Attempts = 3 }).IPRanges(t.Context())
	if e, ok := errors.AsType[*genesys.Error](err); !ok || e.Status != 503 {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 3 {
		t.Errorf("%d calls were made", n)
	}
}

func TestATokenIsAskedForAgainToo(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.Misbehave(http.MethodPost, "/oauth/token", 2, genesystest.Failing(503))
	if _, err := api(t, s, genesystest.Roleless).IPRanges(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatMakesSomethingIsNotSentAgainWhereItMayHaveBeenDone(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Admin)
	s.Misbehave(http.MethodPost, "/api/v2/integrations", 1, genesystest.Fault{Status: 504, After: true})
	if _, err := a.CreateIntegration(t.Context(), "edge", genesys.WebServices); !genesys.Unclear(err) {
		t.Errorf("got %v", err)
	}
	if n := len(s.Org().Integrations); n != 1 {
		t.Errorf("there are %d integrations", n)
	}
	s.Misbehave(http.MethodPost, "/api/v2/integrations", 1, genesystest.TooManyRequests(0))
	if _, err := a.CreateIntegration(t.Context(), "edge 2", genesys.WebServices); err != nil {
		t.Error(err)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Roleless)
	s.Misbehave(http.MethodGet, rangesPath, 1, genesystest.TooManyRequests(1))
	begin := time.Now()
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(begin); waited < time.Second {
		t.Errorf("waited %s", waited)
	}

	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.TooManyRequests(3600))
	_, err := a.IPRanges(t.Context())
	if e, ok := errors.AsType[*genesys.Error](err); !ok || e.RetryAfter != time.Hour || !strings.Contains(err.Error(), "try again in 1h0m0s") {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 3 {
		t.Errorf("%d calls were made", n)
	}
}

func TestAnUsedUpRateLimitIsHeeded(t *testing.T) {
	used := func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && r.URL.Path == rangesPath {
				resp.Header.Set("inin-ratelimit-count", "300")
				resp.Header.Set("inin-ratelimit-reset", "3600")
			}
			return resp, err
		})
	}
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Roleless, func(o *genesys.Options) { o.Transport = used(o.Transport) })
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := a.IPRanges(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(s.Calls(http.MethodGet, rangesPath)); n != 1 {
		t.Errorf("%d calls were made while the limit was used up", n)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAContextEndsACall(t *testing.T) {
	slow := genesystest.Fault{Delay: time.Minute}
	for name, spoil := range map[string]func(*genesystest.Server){
		"that is slow":              func(s *genesystest.Server) { s.Misbehave(http.MethodGet, rangesPath, -1, slow) },
		"whose token is slow":       func(s *genesystest.Server) { s.Misbehave(http.MethodPost, "/oauth/token", -1, slow) },
		"that is to be tried again": func(s *genesystest.Server) { s.Misbehave("", rangesPath, -1, genesystest.TooManyRequests(60)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := genesystest.Start(t, genesystest.Options{})
			spoil(s)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := api(t, s, genesystest.Roleless).IPRanges(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAttemptIsBounded(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.Misbehave(http.MethodGet, rangesPath, -1, genesystest.Fault{Delay: time.Minute})
	a := api(t, s, genesystest.Roleless, func(o *genesys.Options) { o.Timeout = 200 * time.Millisecond })
	if _, err := a.IPRanges(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorSaysWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*genesystest.Server)
		want  []string
	}{
		{"a missing permission", func(s *genesystest.Server) { s.SetPermissions(genesystest.Admin.ID) }, []string{
			"GET /api/v2/integrations: 403 missing.any.permissions: ", "[contextId 00000000-",
			"give the OAuth client a role with integrations:integration:view",
		}},
		{"another 403", func(s *genesystest.Server) {
			s.Misbehave("", "/api/v2/integrations", 1, genesystest.Fault{Status: 403, Code: "not.authorized", Message: "You are not authorized"})
		}, []string{"403 not.authorized: You are not authorized [", "roles of the OAuth client", "allowed IP addresses", "new client-credentials clients must declare them"}},
		{"a token that is not taken", func(s *genesystest.Server) {
			s.Misbehave("", "/api/v2/integrations", -1, genesystest.Unauthorized())
		}, []string{"401 bad.credentials", "allowed IP addresses"}},
		{"a page of a proxy", func(s *genesystest.Server) {
			s.Misbehave("", "/api/v2/integrations", 1, genesystest.Fault{HTML: true})
		}, []string{"the answer with the status 200 is not JSON", "proxy"}},
		{"a page of a proxy with a status", func(s *genesystest.Server) {
			s.Misbehave("", "/api/v2/integrations", 1, genesystest.Fault{HTML: true, Status: 407})
		}, []string{"407: Proxy Authentication Required"}},
		{"an answer that breaks off", func(s *genesystest.Server) {
			s.Misbehave("", "/api/v2/integrations", 1, genesystest.Fault{Truncate: true})
		}, []string{"is not the JSON that was expected"}},
		{"a redirect", func(s *genesystest.Server) {
			s.Misbehave("", "/api/v2/integrations", 1, genesystest.Fault{Status: 302})
		}, []string{"is a redirect: look at the region"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := genesystest.Start(t, genesystest.Options{})
			tc.spoil(s)
			_, err := api(t, s, genesystest.Admin).Integrations(t.Context())
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
		})
	}
}

func TestALoginThatIsRefusedSaysWhatToDo(t *testing.T) {
	for description, c := range map[string]genesystest.Client{
		"client not found":      {ID: "nobody", Secret: "nothing-secret"},
		"authentication failed": {ID: genesystest.Admin.ID, Secret: "wrong-secret"},
	} {
		s := genesystest.Start(t, genesystest.Options{})
		_, err := api(t, s, c).IPRanges(t.Context())
		for _, want := range []string{"POST /oauth/token: 400 invalid_client: " + description, "check the ID and the secret", "allowed IP addresses"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if strings.Contains(err.Error(), c.Secret) {
			t.Errorf("the secret is in %v", err)
		}
	}
}

func TestNoSecretIsInAnError(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	client, err := genesys.New(s.Options(genesystest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	client.Hide("short-one")
	_, err = genesys.API{Sender: client}.CreateOpenMessaging(t.Context(), genesys.OpenMessagingSettings{
		Name: "om", URL: "https://hooks.example.com/om", Secret: "short-one",
	})
	if err == nil || strings.Contains(err.Error(), "short-one") || !strings.Contains(err.Error(), "[***]") {
		t.Errorf("got %v", err)
	}
	for _, c := range []any{genesys.Credentials{ClientID: "id", ClientSecret: "hush"}, &genesys.Credentials{ClientID: "id", ClientSecret: "hush"}} {
		if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); strings.Contains(text, "hush") {
			t.Errorf("the secret is in %s", text)
		}
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	s.SetRanges(genesystest.Range{CIDR: "192.0.2.0/24", Service: strings.Repeat("x", 9<<20)})
	if _, err := api(t, s, genesystest.Roleless).IPRanges(t.Context()); err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Errorf("got %.200v", err)
	}
}

func TestAListingIsReadToItsEnd(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	a := api(t, s, genesystest.Admin)
	const n = 230
	for i := range n {
		name := fmt.Sprintf("edge %d", i)
		if _, err := a.CreateCredential(t.Context(), genesys.Credential{
			Name: name, Type: genesys.CredentialType{Name: genesys.UserDefined}, Fields: map[string]string{"k": "v"},
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.CreateIntegration(t.Context(), name, genesys.WebServices); err != nil {
			t.Fatal(err)
		}
	}
	credentials, err := a.Credentials(t.Context())
	if err != nil || len(credentials) != n || credentials[n-1].Name != "edge 229" {
		t.Errorf("%d credentials, %v", len(credentials), err)
	}
	integrations, err := a.Integrations(t.Context())
	if err != nil || len(integrations) != n || integrations[n-1].Name != "edge 229" {
		t.Errorf("%d integrations, %v", len(integrations), err)
	}
}

func TestAVersionConflictIsReadAgain(t *testing.T) {
	for name, fault := range map[string]genesystest.Fault{"409": genesystest.Conflict(), "400": genesystest.BadVersion()} {
		t.Run(name, func(t *testing.T) {
			s := genesystest.Start(t, genesystest.Options{})
			a := api(t, s, genesystest.Admin)
			in, err := a.CreateIntegration(t.Context(), "edge", genesys.WebServices)
			if err != nil {
				t.Fatal(err)
			}
			s.Misbehave(http.MethodPut, "/api/v2/integrations/*", 2, fault)
			reads := 0
			change := func(ctx context.Context) error {
				reads++
				c, err := a.IntegrationConfig(ctx, in.ID)
				if err != nil {
					return err
				}
				c.Notes = "ours"
				return a.SetIntegrationConfig(ctx, in.ID, c)
			}
			if err := genesys.Versioned(t.Context(), change); err != nil || reads != 3 {
				t.Errorf("%d reads, %v", reads, err)
			}
			s.Misbehave(http.MethodPut, "/api/v2/integrations/*", -1, fault)
			if err := genesys.Versioned(t.Context(), change); !genesys.IsVersionConflict(err) || reads != 13 {
				t.Errorf("%d reads, %v", reads, err)
			}
		})
	}
}

func TestCredentialsMayChangeBetweenTokens(t *testing.T) {
	s := genesystest.Start(t, genesystest.Options{})
	secret := "old"
	a := api(t, s, genesystest.Roleless, func(o *genesys.Options) {
		o.Credentials = func() (genesys.Credentials, error) {
			return genesys.Credentials{ClientID: genesystest.Roleless.ID, ClientSecret: secret}, nil
		}
	})
	if _, err := a.IPRanges(t.Context()); err == nil {
		t.Error("a wrong secret was taken")
	}
	secret = genesystest.Roleless.Secret
	if _, err := a.IPRanges(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAClientNeedsAnEnvironmentAndCredentials(t *testing.T) {
	if _, err := genesys.New(genesys.Options{Credentials: genesys.Fixed(genesys.Credentials{})}); err == nil {
		t.Error("no environment was taken")
	}
	if _, err := genesys.New(genesys.Options{Environment: genesys.Environment{API: "https://a", Login: "https://l"}}); err == nil {
		t.Error("no credentials were taken")
	}
}

func TestATestOfAnActionCallsWhatItCalls(t *testing.T) {
	var got string
	edge := http.NewServeMux()
	edge.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Text string }
		err := json.NewDecoder(r.Body).Decode(&body)
		got = fmt.Sprintf("%s %s %d %v", r.Header.Get("X-Edge-Token"), body.Text, r.ContentLength, err)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status":"accepted"}`)
	})
	s, hook := genesystest.Start(t, genesystest.Options{}), serve(t, edge)
	a := api(t, s, genesystest.Admin)
	in, err := a.CreateIntegration(t.Context(), "edge", genesys.WebServices)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := a.CreateCredential(t.Context(), genesys.Credential{
		Name: "edge", Type: genesys.CredentialType{Name: genesys.UserDefined}, Fields: map[string]string{"edgeToken": "hush"},
	})
	if err != nil {
		t.Fatal(err)
	}
	config, err := a.IntegrationConfig(t.Context(), in.ID)
	if err != nil {
		t.Fatal(err)
	}
	config.Credentials[genesystest.CredentialKey] = genesys.CredentialRef{ID: cred.ID}
	if err := a.SetIntegrationConfig(t.Context(), in.ID, config); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SetIntegrationState(t.Context(), in.ID, genesys.Enabled); err != nil {
		t.Fatal(err)
	}
	action, err := a.CreateAction(t.Context(), genesys.Action{
		Category: "edge", Name: "send", IntegrationID: in.ID,
		Contract: &genesys.ActionContract{
			Input:  genesys.InputContract{Schema: json.RawMessage(`{"type":"object","required":["text"],"properties":{"text":{"type":"string"}}}`)},
			Output: genesys.OutputContract{Schema: json.RawMessage(`{"type":"object"}`)},
		},
		Config: &genesys.ActionConfig{TimeoutSeconds: 10, Request: genesys.RequestConfig{
			URL: hook + "/hook", Type: http.MethodPost,
			Body:    `{"text":"$esc.jsonString(${input.text})"}`,
			Headers: map[string]string{"X-Edge-Token": "${credentials.edgeToken}"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := a.TestAction(t.Context(), action.ID, map[string]any{"text": `say "hi"`})
	if err != nil || !result.Success || string(result.Result) != `{"status":"accepted"}` {
		t.Errorf("got %+v, %v", result, err)
	}
	if want := `hush say "hi" -1 <nil>`; got != want {
		t.Errorf("the edge got %s", got)
	}
}
