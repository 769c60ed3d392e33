package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

// whole is what there is after a run, but for versions, which count attempts.
func whole(c *cloud) genesystest.Org {
	o := c.Org()
	for i := range o.Configs {
		o.Configs[i].Version = 0
	}
	for i := range o.Actions {
		o.Actions[i].Version = 0
	}
	return o
}

// alike is whole without IDs, so that two clouds can be compared.
func alike(t *testing.T, c *cloud) string {
	t.Helper()
	raw, err := json.Marshal(whole(c))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), c.hook.URL, "HOOK")
	for i, in := range c.Org().Integrations {
		text = strings.ReplaceAll(text, in.ID, fmt.Sprint("integration", i))
	}
	for i, cred := range c.Org().Credentials {
		text = strings.ReplaceAll(text, cred.ID, fmt.Sprint("credential", i))
	}
	for i, a := range c.Org().Actions {
		text = strings.ReplaceAll(text, a.ID, fmt.Sprint("action", i))
	}
	return text
}

func TestASecondRunChangesNothing(t *testing.T) {
	c := newCloud(t)
	a := c.dataAction(t)
	a.Test = false
	if _, err := c.provisioner().DataAction(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	before := c.Org()
	r, err := c.provisioner().DataAction(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"integration unchanged", "credential updated", "config unchanged", "data action unchanged"} // what the secret was, Genesys does not say
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, c.Org()); diff != "" {
		t.Error(diff)
	}
}

func TestARunThatBrokeOffIsCompletedByTheNext(t *testing.T) {
	done := newCloud(t)
	a := done.dataAction(t)
	a.Test = false
	calls := &killer{Sender: done.client, n: 1 << 30}
	if _, err := provisioner(calls).DataAction(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	total := 1<<30 - calls.n
	want := alike(t, done)
	if total < 10 {
		t.Fatalf("a run takes %d calls", total)
	}
	for n := 1; n <= total; n++ {
		for _, after := range []bool{false, true} {
			c := newCloud(t)
			a := c.dataAction(t)
			a.Test = false
			if _, err := provisioner(&killer{Sender: c.client, n: n, after: after}).DataAction(t.Context(), a); !errors.Is(err, errKilled) {
				t.Fatalf("call %d: %v", n, err)
			}
			if _, err := c.provisioner().DataAction(t.Context(), a); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
			if diff := cmp.Diff(want, alike(t, c)); diff != "" {
				t.Errorf("killed at call %d (carried out: %t):\n%s", n, after, diff)
			}
		}
	}
}

func TestNothingIsMadeTwiceWhereAnAnswerIsLost(t *testing.T) {
	for _, path := range []string{"/api/v2/integrations", "/api/v2/integrations/credentials", "/api/v2/integrations/actions"} {
		for name, fault := range map[string]genesystest.Fault{
			"a gateway gives up": {Status: 504, After: true},
			"nothing is done":    {Status: 503},
			"the connection":     {Reset: true, After: true},
			"the answer":         {Truncate: true},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				c := newCloud(t)
				c.Misbehave(http.MethodPost, path, 1, fault)
				if _, err := c.provisioner().DataAction(t.Context(), c.dataAction(t)); err != nil {
					t.Fatal(err)
				}
				if o := c.Org(); len(o.Integrations) != 1 || len(o.Credentials) != 1 || len(o.Actions) != 1 {
					t.Errorf("there is %+v", o)
				}
			})
		}
	}
}

func TestWhatHasChangedIsBroughtUpToDate(t *testing.T) {
	c := newCloud(t)
	a := c.dataAction(t)
	if _, err := c.provisioner().DataAction(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	api := genesys.API{Sender: c.client}
	id := c.Org().Integrations[0].ID
	if _, err := api.SetIntegrationState(t.Context(), id, genesys.Disabled); err != nil {
		t.Fatal(err)
	}
	a.URL, a.TimeoutSeconds = c.hook.URL+"/other", 5
	c.Misbehave(http.MethodPatch, "/api/v2/integrations/actions/*", 1, genesystest.BadVersion())
	r, err := c.provisioner().DataAction(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"integration unchanged", "credential updated", "config unchanged", "integration enabled", "data action updated"}
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Error(diff)
	}
	o := c.Org()
	if o.Actions[0].Config.Request.URL != a.URL || o.Actions[0].Config.TimeoutSeconds != 5 || o.Actions[0].Version != 2 || o.Integrations[0].IntendedState != genesys.Enabled {
		t.Errorf("there is %+v", o.Actions[0])
	}
}

func TestAnotherInputIsAnotherAction(t *testing.T) {
	c := newCloud(t)
	a := c.dataAction(t)
	if _, err := c.provisioner().DataAction(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	before := c.Org().Actions[0].ID
	a.Action = "pe-action-map"
	a.Contract = parse(t, `"required":["id"],"properties":{"id":{"type":"string"}}`)
	if _, err := c.provisioner().DataAction(t.Context(), a); err == nil || !strings.Contains(err.Error(), "which Genesys cannot change") {
		t.Errorf("got %v", err)
	}
	a.Replace = true
	r, err := c.provisioner().DataAction(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if s := states(r); !slices.Equal(s[len(s)-2:], []string{"data action removed", "data action created"}) {
		t.Errorf("got %q", s)
	}
	if actions := c.Org().Actions; len(actions) != 1 || actions[0].ID == before {
		t.Errorf("there is %+v", actions)
	}
}

func TestAnInputIsComparedByItsMembers(t *testing.T) {
	of := func(schema string) *genesys.ActionContract {
		return &genesys.ActionContract{Input: genesys.InputContract{Schema: json.RawMessage(schema)}}
	}
	ours := of(`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","required":["a","b"],"properties":{"a":{"type":"string"},"b":{"type":"number"},"c":{"type":"string"}}}`)
	for shown, want := range map[string]bool{
		`{"title":"x","type":"object","required":["b","a"],"properties":{"c":{"type":"string","title":""},"b":{"type":"number"},"a":{"type":"string"}}}`: true,
		``: true, // not shown
		`{"required":["a"],"properties":{"a":{"type":"string"},"b":{"type":"number"},"c":{"type":"string"}}}`:                           false,
		`{"required":["a","b"],"properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"type":"string"}}}`:                       false,
		`{"required":["a","b"],"properties":{"a":{"type":"string"},"b":{"type":"number"}}}`:                                             false,
		`{"required":["a","b"],"properties":{"a":{"type":"string"},"b":{"type":"number"},"c":{"type":"string"},"d":{"type":"string"}}}`: false,
	} {
		if got := sameContract(of(shown), ours); got != want {
			t.Errorf("%s: got %t", shown, got)
		}
	}
}

func TestAVersionThatOthersChangedIsReadAgain(t *testing.T) {
	c := newCloud(t)
	c.Misbehave(http.MethodPut, "/api/v2/integrations/*", 2, genesystest.Conflict())
	if _, err := c.provisioner().DataAction(t.Context(), c.dataAction(t)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatGenesysDoesNotKnowYetIsTriedAgain(t *testing.T) {
	c := newCloud(t)
	c.Misbehave(http.MethodPost, "/api/v2/integrations/actions", 2, genesystest.Fault{Status: 400, Code: "bad.request", Message: "The integration does not exist"})
	if _, err := c.provisioner().DataAction(t.Context(), c.dataAction(t)); err != nil {
		t.Fatal(err)
	}
}

func TestAClearRefusalIsNotRepeated(t *testing.T) {
	c := newCloud(t)
	c.Misbehave(http.MethodPost, "/api/v2/integrations", -1, genesystest.MissingPermission("integrations:integration:add"))
	if _, err := c.provisioner().DataAction(t.Context(), c.dataAction(t)); err == nil {
		t.Error("it was made")
	}
	if n := len(c.Calls(http.MethodPost, "/api/v2/integrations")); n != 1 {
		t.Errorf("it was asked for %d times", n)
	}
}
