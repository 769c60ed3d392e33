package genesys_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
