// Package tools pins what checks the code, in a module of its own, so that
// nobody who builds Hookgate pulls it in.
package tools

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/xcaddy"
	"golang.org/x/mod/modfile"
)

const module = "github.com/hookgate/hookgate"

// xcaddy.json is the Builder of xcaddy in its own JSON form. It must decode
// strictly, and say what go.mod and cmd/hookgate say.
func TestXcaddyJSONAgreesWithTheProgram(t *testing.T) {
	var b xcaddy.Builder
	dec := json.NewDecoder(bytes.NewReader(read(t, "../xcaddy.json")))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		t.Fatalf("xcaddy.json does not decode into xcaddy.Builder: %v", err)
	}
	mod, err := modfile.Parse("go.mod", read(t, "../go.mod"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if mod.Module.Mod.Path != module {
		t.Errorf("go.mod is for %s", mod.Module.Mod.Path)
	}
	i := slices.IndexFunc(mod.Require, func(r *modfile.Require) bool {
		return r.Mod.Path == "github.com/caddyserver/caddy/v2"
	})
	if i < 0 || mod.Require[i].Mod.Version != b.CaddyVersion {
		t.Errorf("caddy_version is %q, which go.mod does not require", b.CaddyVersion)
	}
	if len(b.Plugins) != 1 || b.Plugins[0].PackagePath != module {
		t.Errorf("plugins are %+v, want %s alone", b.Plugins, module)
	}
	program := string(read(t, "../cmd/hookgate/main.go"))
	for _, p := range b.Plugins {
		if !strings.Contains(program, `_ "`+p.PackagePath+`"`) {
			t.Errorf("cmd/hookgate does not import %s", p.PackagePath)
		}
	}
	readme := string(read(t, "../README.md"))
	for _, command := range []string{
		"xcaddy build " + b.CaddyVersion + " --with " + module + "\n",
		"xcaddy build " + b.CaddyVersion + " --with " + module + "@v0.0.0=.",
		"github.com/caddyserver/xcaddy/cmd/xcaddy@" + xcaddyVersion(t),
	} {
		if !strings.Contains(readme, command) {
			t.Errorf("the README does not say %q", command)
		}
	}
	if b.BuildFlags != "" {
		t.Errorf("build_flags %q replace xcaddy's own, which leave out databases that nobody needs", b.BuildFlags)
	}
	if makefile := string(read(t, "../Makefile")); !strings.Contains(makefile, "nobadger,nomysql,nopgx") {
		t.Error("the Makefile does not build with xcaddy's tags")
	}
}

// xcaddyVersion is the version of xcaddy that xcaddy.json is held against.
func xcaddyVersion(t *testing.T) string {
	t.Helper()
	mod, err := modfile.Parse("go.mod", read(t, "go.mod"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == "github.com/caddyserver/xcaddy" {
			return r.Mod.Version
		}
	}
	t.Fatal("go.mod requires no xcaddy")
	return ""
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
