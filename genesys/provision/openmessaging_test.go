package provision

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

func TestAnOpenMessagingIntegrationIsMade(t *testing.T) {
	c := newCloud(t)
	r, err := c.provisioner().OpenMessaging(t.Context(), openMessaging())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open messaging integration created"}, states(r)); diff != "" {
		t.Error(diff)
	}
	want := []genesys.OpenMessagingSettings{{
		Name: "Hookgate", URL: "https://hooks.example.com/om", Secret: secret, Headers: map[string]string{"X-Edge-Token": "header-secret"},
	}}
	if diff := cmp.Diff(want, c.Org().Messagings); diff != "" {
		t.Error(diff)
	}
	if n := len(c.Calls(http.MethodGet, "/api/v2/conversations/messaging/integrations/open/*")); n != 3 {
		t.Errorf("it was looked at %d times", n)
	}
	again := openMessaging()
	again.URL = "https://hooks.example.com:443/other"
	if r, err = c.provisioner().OpenMessaging(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open messaging integration updated"}, states(r)); diff != "" {
		t.Error(diff)
	}
	if m := c.Org().Messagings; len(m) != 1 || m[0].URL != again.URL {
		t.Errorf("there is %+v", m)
	}
}

func TestAnOpenMessagingRunThatBrokeOffIsCompletedByTheNext(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for _, after := range []bool{false, true} {
			c := newCloud(t)
			if _, err := provisioner(&killer{Sender: c.client, n: n, after: after}).OpenMessaging(t.Context(), openMessaging()); !errors.Is(err, errKilled) {
				t.Fatalf("call %d: %v", n, err)
			}
			if _, err := c.provisioner().OpenMessaging(t.Context(), openMessaging()); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
			if m := c.Org().Messagings; len(m) != 1 || m[0].Secret != secret {
				t.Errorf("call %d: there is %+v", n, m)
			}
		}
	}
}

func TestAnOpenMessagingIntegrationThatCouldNotBeMadeIsMadeAnew(t *testing.T) {
	c := newCloud(t)
	c.FailMessaging(true)
	if _, err := c.provisioner().OpenMessaging(t.Context(), openMessaging()); err == nil || !strings.Contains(err.Error(), "could not be made: The integration could not be made.; run it again") {
		t.Errorf("got %v", err)
	}
	c.FailMessaging(false)
	r, err := c.provisioner().OpenMessaging(t.Context(), openMessaging())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"open messaging integration removed", "open messaging integration created"}, states(r)); diff != "" {
		t.Error(diff)
	}
	if m := c.Org().Messagings; len(m) != 1 {
		t.Errorf("there is %+v", m)
	}
}

func TestAnOpenMessagingIntegrationThatMakesNoSenseIsRefused(t *testing.T) {
	c := newCloud(t)
	for want, set := range map[string]func(*OpenMessaging){
		"does not begin with Hookgate": func(m *OpenMessaging) { m.Name = "Prod" },
		"less than 16 characters":      func(m *OpenMessaging) { m.Secret = "short" },
		"begins with https://":         func(m *OpenMessaging) { m.URL = "http://hooks.example.com" },
		"calls port 443 only":          func(m *OpenMessaging) { m.URL = "https://hooks.example.com:8443" },
	} {
		m := openMessaging()
		set(&m)
		if _, err := c.provisioner().OpenMessaging(t.Context(), m); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "short") {
			t.Errorf("%s: got %v", want, err)
		}
	}
	c.SetPermissions(genesystest.Admin.ID, Permissions(JobOpenMessaging)...)
	if _, err := c.provisioner().OpenMessaging(t.Context(), openMessaging()); err != nil {
		t.Errorf("with what the documentation names: %v", err)
	}
}
