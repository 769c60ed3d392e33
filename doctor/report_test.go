package doctor

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheExitCodeSaysWhatAScriptHasToKnow(t *testing.T) {
	ok, warn, fail := Finding{Status: OK}, Finding{Status: Warn}, Finding{Status: Fail}
	skipped, excused := Finding{Status: Skipped}, Finding{Status: Skipped, Excused: true}
	for _, tc := range []struct {
		name   string
		all    []Finding
		strict bool
		want   int
	}{
		{"nothing", nil, false, 0},
		{"all well", []Finding{ok, ok}, true, 0},
		{"a warning", []Finding{ok, warn}, false, 0},
		{"a warning, strict", []Finding{ok, warn}, true, 1},
		{"a failure", []Finding{skipped, fail, ok}, false, 1},
		{"one that could not be made", []Finding{ok, skipped}, false, 3},
		{"one that could not be made, strict", []Finding{ok, skipped}, true, 3},
		{"one that nobody could make", []Finding{ok, excused}, true, 0},
		{"a warning, strict, and one that could not be made", []Finding{warn, skipped}, true, 1},
	} {
		r := NewReport(tc.all)
		if got := r.ExitCode(tc.strict); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

// sample has one finding of each status.
func sample() Report {
	server, hook := Notes{About: "redis:6379"}, Notes{About: "crm"}
	server.OK("redis.reach", "it answers")
	server.Fail("redis.policy", "maxmemory-policy allkeys-lru", "set maxmemory-policy noeviction")
	server.Excuse("redis.clock", "it does not say\x1b[2J")
	hook.Warn("hook.auth", "no auth", "set auth <now>")
	hook.Skip("hook.allow_file", "it cannot be read", "run this as another user")
	return NewReport(append(server.List, hook.List...))
}

func TestATableIsForPeople(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `STATUS   CHECK            ABOUT       FOUND
ok       redis.reach      redis:6379  it answers
fail     redis.policy     redis:6379  maxmemory-policy allkeys-lru
skipped  redis.clock      redis:6379  it does not say [2J
warn     hook.auth        crm         no auth
skipped  hook.allow_file  crm         it cannot be read

fail redis.policy redis:6379
    set maxmemory-policy noeviction.

warn hook.auth crm
    set auth <now>.

skipped hook.allow_file crm
    run this as another user.

1 ok, 1 warn, 1 fail, 2 skipped
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestJSONIsForPrograms(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(b.String(), "set auth <now>") {
		t.Errorf("it is escaped for browsers: %s", b.String())
	}
	b.Reset()
	if empty := NewReport(nil); empty.WriteJSON(&b) != nil || !strings.Contains(b.String(), `"findings": []`) {
		t.Errorf("nothing: %s", b.String())
	}
}

func TestAClockIsComparedWithWhatIsKnown(t *testing.T) {
	before := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	after := before.Add(400 * time.Millisecond)
	for _, tc := range []struct {
		name   string
		server time.Time
		want   Status
		seen   string
	}{
		{"between", before.Add(time.Millisecond), OK, "is 0s from"},
		{"a little behind", before.Add(-900 * time.Millisecond), OK, "900ms"},
		{"behind", before.Add(-time.Second), Warn, "1s"},
		{"ahead", after.Add(2 * time.Second), Warn, "2s"},
		{"ahead, as far as the answer took", after, OK, "0s"},
	} {
		n := Notes{}
		n.Clock("redis.clock", tc.server, before, after)
		if f := n.List[0]; f.Status != tc.want || !strings.Contains(f.Seen, tc.seen) {
			t.Errorf("%s: %+v, want %s", tc.name, f, tc.want)
		}
	}
}

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:8080": true, "127.0.0.1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "localhost:1": true, "a.localhost": true,
		":8080": false, "": false, "10.0.0.1:1": false, "redis:6379": false, "[::]:1": false, "localhost.example:1": false,
	} {
		if got := IsLoopback(addr); got != want {
			t.Errorf("%q: %t", addr, got)
		}
	}
}
