package app

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"

	"github.com/hookgate/hookgate/genesys/genesystest"
)

func init() { caddy.RegisterModule(new(catcher)) }

// catcher is an event handler that passes on what it is told.
type catcher struct{}

var caught = make(chan map[string]any, 10)

func (*catcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test_catcher", New: func() caddy.Module { return new(catcher) }}
}

func (*catcher) Handle(_ context.Context, e caddy.Event) error {
	caught <- e.Data
	return nil
}

// load runs a config with a hookgate app, until the end of the test.
func load(t *testing.T, s *genesystest.Server, dir string, set func(*Genesys)) {
	t.Helper()
	g := &Genesys{
		APIURL: s.APIURL(), LoginURL: s.LoginURL(), ClientID: genesystest.Roleless.ID, ClientSecret: "{env.GENESYS_TEST_SECRET}",
		Refresh: caddy.Duration(minRefresh),
	}
	set(g)
	config, err := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"storage": map[string]any{"module": "file_system", "root": filepath.Join(dir, "storage")},
		"apps": map[string]any{
			Name: &App{DataDir: filepath.Join(dir, "data"), Genesys: g},
			"events": map[string]any{"subscriptions": []any{map[string]any{
				"events": []string{eventRangesChanged}, "handlers": []any{map[string]any{"handler": "test_catcher"}},
			}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		rt, err := Active()
		if err != nil {
			t.Fatal(err)
		}
		rt.linger = 0 // nobody sends requests
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		eventually(t, "what it opened is closed", func() bool {
			_, open := files.References(filepath.Join(dir, "data", EmbeddedFile))
			return !open
		})
	})
}

// running returns the addresses of the config that runs.
func running(t *testing.T) *Ranges {
	t.Helper()
	rt, err := Active()
	if err != nil {
		t.Fatal(err)
	}
	return rt.Ranges()
}

func TestAChangeOfTheAddressesIsAnEvent(t *testing.T) {
	t.Setenv("GENESYS_TEST_SECRET", genesystest.Roleless.Secret)
	s := genesystest.Start(t, genesystest.Options{})
	s.SetRanges(genesystest.Outbound("data-actions", "192.0.2.0/24")...)
	load(t, s, t.TempDir(), func(*Genesys) {})
	view := running(t).View("data-actions")
	eventually(t, "the addresses are known", func() bool { return view.Ready() == nil })
	s.SetRanges(genesystest.Outbound("data-actions", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")...)
	data := <-caught
	if data["added"] != 2 || data["removed"] != 0 || data["ranges"] != 3 || !slices.Equal(data["services"].([]string), []string{"data-actions"}) {
		t.Errorf("got %v", data)
	}
	if !view.Contains(netip.MustParseAddr("203.0.113.9")) {
		t.Error("the event was before the change")
	}
	if len(caught) != 0 {
		t.Error("the first list was an event")
	}
}

func TestAChangedSecretNeedsNoReload(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong")
	s := genesystest.Start(t, genesystest.Options{})
	s.SetRanges(genesystest.Outbound("data-actions", "192.0.2.0/24")...)
	load(t, s, dir, func(g *Genesys) { g.ClientSecret = "{file." + file + "}" })
	r := running(t)
	view := r.View("data-actions")
	eventually(t, "it is refused", func() bool { return strings.Contains(r.Stats().LastError, "check the ID and the secret") })
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
	write(genesystest.Roleless.Secret)
	eventually(t, "the addresses are known", func() bool { return view.Ready() == nil })
}

func TestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Setenv("GENESYS_CLIENT_SECRET", "x")
	for want, g := range map[string]Genesys{
		"a region such as":                     {ClientID: "x"},
		"exclude each other":                   {Environment: "eu-west-1", LoginURL: "https://login.mypurecloud.ie", ClientID: "x"},
		"is no region":                         {Environment: "eu-west-9", ClientID: "x"},
		"does not stand here itself":           {Environment: "eu-west-1", ClientID: "x", ClientSecret: "hush"},
		"refresh is too short":                 {Environment: "eu-west-1", ClientID: "x", Refresh: 1},
		"client_id: ":                          {Environment: "eu-west-1"},
		"client_secret: ":                      {Environment: "eu-west-1", ClientID: "x", ClientSecret: "{env.GENESYS_TEST_NOT_SET}"},
		"genesys: ":                            {Environment: "{env.GENESYS_TEST_NOT_SET}", ClientID: "x"},
		"the URL of the login is missing":      {APIURL: "https://genesys.example.com", ClientID: "x"},
		"the URL of the API begins with https": {APIURL: "http://api.example.com", ClientID: "x"},
	} {
		if err := g.provision(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v", want, err)
		}
	}
	good := Genesys{Environment: "eu_west_1", ClientID: "x"}
	if err := good.provision(); err != nil || good.key() != "hookgate/genesys/ranges-api.mypurecloud.ie.json" {
		t.Errorf("got %s, %v", good.key(), err)
	}
}

func TestAGlobalOptionSaysWhetherItHasGenesys(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`:                false,
		`{"data_dir":"/x"}`: false,
		`{"genesys":{"environment":"eu-west-1"}}`: true,
		`{"genesys":{}}`: true,
	} {
		if got := HasGenesys(httpcaddyfile.App{Name: Name, Value: json.RawMessage(text)}); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	for _, other := range []any{nil, "genesys", httpcaddyfile.App{}} {
		if HasGenesys(other) {
			t.Errorf("%v has it", other)
		}
	}
}
