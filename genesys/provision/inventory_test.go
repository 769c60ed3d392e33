package provision

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

var all = Kinds{DataActions: true, OpenMessaging: true}

// filled is a cloud with two sets of ours, and things of others.
func filled(t *testing.T) *cloud {
	t.Helper()
	c := newCloud(t)
	api := genesys.API{Sender: c.client}
	for _, name := range []string{"Hookgate", "Hookgate staging"} {
		a, m := c.dataAction(t), openMessaging()
		a.Name, a.Test, m.Name = name, false, name
		if _, err := c.provisioner().DataAction(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if _, err := c.provisioner().OpenMessaging(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	other, err := api.CreateIntegration(t.Context(), "CRM", genesys.WebServices)
	if err != nil {
		t.Fatal(err)
	}
	action := genesys.Action{
		Category: "Hookgate", Name: "theirs", IntegrationID: other.ID,
		Contract: c.Org().Actions[0].Contract, Config: c.Org().Actions[0].Config,
	}
	if _, err := api.CreateAction(t.Context(), action); err != nil {
		t.Fatal(err)
	}
	if _, err := api.CreateCredential(t.Context(), genesys.Credential{
		Name: "Hookgates", Type: genesys.CredentialType{Name: genesys.UserDefined}, Fields: map[string]string{"k": "v"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.CreateOpenMessaging(t.Context(), genesys.OpenMessagingSettings{Name: "Chat", URL: "https://chat.example.com", Secret: secret}); err != nil {
		t.Fatal(err)
	}
	return c
}

func named(r *Report) (s []string) {
	for _, step := range r.Steps {
		s = append(s, step.Kind+" "+step.Name)
	}
	return s
}

func TestOnlyWhatIsOursIsListed(t *testing.T) {
	c := filled(t)
	r, err := c.provisioner().List(t.Context(), "", all)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"data action pe-action-map", "integration Hookgate", "data action pe-action-map", "integration Hookgate staging",
		"credential Hookgate", "credential Hookgate staging",
		"open messaging integration Hookgate", "open messaging integration Hookgate staging",
	}
	if diff := cmp.Diff(want, named(r)); diff != "" {
		t.Error(diff)
	}
	c.SetPermissions(genesystest.Admin.ID, Permissions(JobList)...)
	if _, err := c.provisioner().List(t.Context(), "", all); err != nil {
		t.Errorf("with what the documentation names: %v", err)
	}
}

func TestOnlyWhatIsOursAndHasTheNameIsRemoved(t *testing.T) {
	c := filled(t)
	c.SetPermissions(genesystest.Admin.ID, Permissions(JobRemove)...)
	r, err := c.provisioner().Remove(t.Context(), "Hookgate staging", all)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"data action pe-action-map", "integration Hookgate staging", "credential Hookgate staging", "open messaging integration Hookgate staging",
	}
	if diff := cmp.Diff(want, named(r)); diff != "" {
		t.Error(diff)
	}
	if _, err := c.provisioner().Remove(t.Context(), "Hookgate", Kinds{DataActions: true}); err != nil {
		t.Fatal(err)
	}
	var left []string
	o := c.Org()
	for _, in := range o.Integrations {
		left = append(left, in.Name)
	}
	for _, a := range o.Actions {
		left = append(left, a.Name)
	}
	for _, cred := range o.Credentials {
		left = append(left, cred.Name)
	}
	for _, m := range o.Messagings {
		left = append(left, m.Name)
	}
	if want := []string{"CRM", "theirs", "Hookgates", "Hookgate", "Chat"}; !slices.Equal(left, want) {
		t.Errorf("left are %q", left)
	}
}

func TestARemovalThatBrokeOffIsCompletedByTheNext(t *testing.T) {
	c := filled(t)
	c.Misbehave(http.MethodDelete, "/api/v2/integrations/credentials/*", 1, genesystest.Failing(500))
	r, err := c.provisioner().Remove(t.Context(), "Hookgate", all)
	if err == nil || len(r.Steps) != 2 {
		t.Errorf("got %q, %v", named(r), err)
	}
	// What is gone already is no error.
	c.Misbehave(http.MethodDelete, "/api/v2/integrations/credentials/*", 1, genesystest.Fault{Status: 404, After: true})
	r, err = c.provisioner().Remove(t.Context(), "Hookgate", all)
	if err != nil || !slices.Equal(named(r), []string{"credential Hookgate", "open messaging integration Hookgate"}) {
		t.Errorf("got %q, %v", named(r), err)
	}
}

func TestARemovalMayBreakOffAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		for _, after := range []bool{false, true} {
			c := filled(t)
			_, err := provisioner(&killer{Sender: c.client, n: n, after: after}).Remove(t.Context(), "Hookgate", all)
			if err == nil { // there are not that many calls
				if n < 8 {
					t.Errorf("it took %d calls", n-1)
				}
				return
			}
			if _, err := c.provisioner().Remove(t.Context(), "Hookgate", all); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
			o := c.Org()
			if len(o.Integrations) != 2 || len(o.Actions) != 2 || len(o.Credentials) != 2 || len(o.Messagings) != 2 {
				t.Errorf("killed at call %d (carried out: %t): left is %+v", n, after, o)
			}
		}
	}
}

func TestANameIsOursByItsBeginning(t *testing.T) {
	for own, want := range map[string]string{"": "Hookgate", "staging": "Hookgate staging", "eu 2": "Hookgate eu 2"} {
		if got, err := Name(own); err != nil || got != want || !ours(got) {
			t.Errorf("%q: got %q, %v", own, got, err)
		}
	}
	for _, own := range []string{" ", " x", "x ", "a/b", "ü", strings.Repeat("x", 65), "a\nb"} {
		if got, err := Name(own); err == nil {
			t.Errorf("%q: got %q", own, got)
		}
	}
	for _, name := range []string{"", "Hook", "Hookgates", "My Hookgate", "hookgate"} {
		if ours(name) {
			t.Errorf("%q is ours", name)
		}
	}
}
