package genesys_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

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
