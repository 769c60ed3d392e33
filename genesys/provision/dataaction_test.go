package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

func states(r *Report) (s []string) {
	for _, step := range r.Steps {
		s = append(s, step.Kind+" "+step.State)
	}
	return s
}

func TestADataActionIsMadeAndItsTestReachesTheHook(t *testing.T) {
	c := newCloud(t)
	r, err := c.provisioner().DataAction(t.Context(), c.dataAction(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"integration created", "credential created", "config updated", "integration enabled", "data action created"}
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Error(diff)
	}
	if r.Test == nil || !r.Test.OK || r.Test.Answer != `{"status":"accepted","event_id":"e"}` {
		t.Errorf("the test says %+v", r.Test)
	}
	o := c.Org()
	if o.Integrations[0].IntendedState != genesys.Enabled || o.Configs[0].Credentials[genesystest.CredentialKey].ID != o.Credentials[0].ID ||
		o.Credentials[0].Fields["edgeToken"] != secret || o.Actions[0].Category != "Hookgate" || o.Actions[0].Name != "pe-action-map" {
		t.Errorf("there is %+v", o)
	}
	bodies := c.hook.got()
	if len(bodies) != 1 {
		t.Fatalf("the hook got %q", bodies)
	}
	reader, err := contract.NewReader(contract.Options{Contract: peActionMap(t)})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := reader.Read([]byte(bodies[0])); err != nil || len(body.Violations)+len(body.Drift) > 0 || body.ID != r.Test.EventID || !strings.HasPrefix(body.ID, "hookgate-test-") {
		t.Errorf("%s is read as %+v, %v", bodies[0], body, err)
	}
}

func TestAMissingPermissionIsNamedAndTheRestCanBeDoneLater(t *testing.T) {
	c := newCloud(t)
	all := Permissions(JobDataAction)
	for i, permission := range all {
		if strings.HasSuffix(permission, ":view") {
			continue
		}
		c.SetPermissions(genesystest.Admin.ID, slices.Concat(all[:i], all[i+1:])...)
		_, err := c.provisioner().DataAction(t.Context(), c.dataAction(t))
		if permission == "integrations:action:edit" { // nothing is to be changed
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "give the OAuth client a role with "+permission) {
			t.Errorf("without %s: %v", permission, err)
		}
	}
	c.SetPermissions(genesystest.Admin.ID, all...)
	if _, err := c.provisioner().DataAction(t.Context(), c.dataAction(t)); err != nil {
		t.Errorf("with what the documentation names: %v", err)
	}
}

func TestATestThatFailsSaysWhatTheEdgeAnswered(t *testing.T) {
	c := newCloud(t)
	a := c.dataAction(t)
	a.Header = "X-Other" // the hook wants another one
	r, err := c.provisioner().DataAction(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if r.Test.OK || !strings.Contains(r.Test.Error, "status 401") || !strings.Contains(r.Test.Answer, "unauthorized") {
		t.Errorf("got %+v", r.Test)
	}
}

func TestADataActionThatMakesNoSenseIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	c := newCloud(t)
	for want, set := range map[string]func(*DataAction){
		"does not begin with Hookgate": func(a *DataAction) { a.Name = "Prod" },
		"needs a contract":             func(a *DataAction) { a.Contract = nil },
		"the secret of the hook is":    func(a *DataAction) { a.Secret = "" },
		"cannot stand in one":          func(a *DataAction) { a.Secret = "two\nlines" },
		"cannot have this name":        func(a *DataAction) { a.Header = "X Edge" },
		"1 to 60 seconds":              func(a *DataAction) { a.TimeoutSeconds = 61 },
		"begins with https://":         func(a *DataAction) { a.URL = "http://hooks.example.com/x" },
		"is not one such as":           func(a *DataAction) { a.URL = "hooks.example.com" },
		"has 1 to 256 characters":      func(a *DataAction) { a.Action = strings.Repeat("x", 257) },
	} {
		a := c.dataAction(t)
		set(&a)
		if _, err := c.provisioner().DataAction(t.Context(), a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if n := len(c.Calls("", "*")); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestTwoOfOneNameAreNotGuessedAt(t *testing.T) {
	c := newCloud(t)
	api := genesys.API{Sender: c.client}
	for range 2 {
		if _, err := api.CreateIntegration(t.Context(), "Hookgate", genesys.WebServices); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.provisioner().DataAction(t.Context(), c.dataAction(t)); err == nil || !strings.Contains(err.Error(), "there are several of the kind integration") {
		t.Errorf("got %v", err)
	}
}

func TestADryRunKeepsTheRequestsAndSendsNone(t *testing.T) {
	c := newCloud(t)
	a := c.dataAction(t)
	run := func(job func(*Provisioner) error) string {
		t.Helper()
		changes := len(c.Changes())
		dry := NewDryRun(c.client)
		p := New(dry)
		p.waits.pause = 0
		if err := job(p); err != nil {
			t.Fatal(err)
		}
		if n := len(c.Changes()); n != changes {
			t.Errorf("%d changes were made", n-changes)
		}
		text := requests(t, dry.Changes())
		if strings.Contains(text, secret) || strings.Contains(text, "header-secret") {
			t.Errorf("a secret is in\n%s", text)
		}
		for _, thing := range c.Org().Integrations {
			text = strings.ReplaceAll(text, thing.ID, "INTEGRATION")
		}
		for _, thing := range c.Org().Credentials {
			text = strings.ReplaceAll(text, thing.ID, "CREDENTIAL")
		}
		for _, thing := range c.Org().Actions {
			text = strings.ReplaceAll(text, thing.ID, "ACTION")
		}
		return strings.ReplaceAll(text, c.hook.URL, "https://hooks.example.com")
	}
	action := func(p *Provisioner) error { _, err := p.DataAction(t.Context(), a); return err }
	golden(t, "data-action.txt", run(action))
	golden(t, "open-messaging.txt", run(func(p *Provisioner) error { _, err := p.OpenMessaging(t.Context(), openMessaging()); return err }))

	if _, err := c.provisioner().DataAction(context.WithoutCancel(t.Context()), a); err != nil {
		t.Fatal(err)
	}
	a.Contract, a.Action, a.Replace = parse(t, `"required":["id"],"properties":{"id":{"type":"string"}}`), "pe-action-map", true
	golden(t, "data-action-replace.txt", run(action))
	golden(t, "remove.txt", run(func(p *Provisioner) error {
		_, err := p.Remove(t.Context(), "Hookgate", Kinds{DataActions: true, OpenMessaging: true})
		return err
	}))
}

func TestWhatAFlowGivesArrivesAsItIs(t *testing.T) {
	c := newCloud(t)
	a := c.dataAction(t)
	a.Test = false
	if _, err := c.provisioner().DataAction(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	given := map[string]any{
		"campaignId": "1", "campaignName": `Q4 "retention" \ offer`, "contactId": "a\tb\n", "contactNumber": "+12025550123",
		"callOutcome": "$esc #end ${input.x}", "timestamp": "2026-07-04T12:00:00.000Z", "webhookEventId": "é 漢 😀",
		"agentName": "O'Brien <b>", "callDurationSeconds": 142.5,
	}
	api := genesys.API{Sender: c.client}
	result, err := api.TestAction(t.Context(), c.Org().Actions[0].ID, given)
	if err != nil || !result.Success {
		t.Fatalf("%+v, %v", result, err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(c.hook.got()[0]), &got); err != nil {
		t.Fatal(err)
	}
	given["agentId"], given["dispositionCode"], given["dispositionLabel"] = nil, nil, nil // what a flow has not, is null
	if diff := cmp.Diff(given, got); diff != "" {
		t.Error(diff)
	}
}

// requests is how a person writes them down.
func requests(t *testing.T, changes []Change) string {
	t.Helper()
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	for _, c := range changes {
		fmt.Fprintf(&text, "%s %s\n", c.Method, c.Path)
		if c.Body != nil {
			if err := enc.Encode(c.Body); err != nil {
				t.Fatal(err)
			}
		}
		text.WriteString("\n")
	}
	return text.String()
}
