package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runContract runs the command in a folder with the files.
func runContract(t *testing.T, stdin string, files map[string]string, args ...string) (out string, code int) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, body := range files {
		if err := os.WriteFile(filepath.Clean(name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var buf bytes.Buffer
	cmd := newContract()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&buf)
	cmd.SetErr(&buf)
	err := cmd.ExecuteContext(t.Context())
	if err != nil {
		code = 1
		buf.WriteString("Error: " + err.Error() + "\n")
	}
	if exit, ok := errors.AsType[*ExitError](err); ok {
		code = exit.Code
	}
	return buf.String(), code
}

func TestContractCheckSaysWhatAHookWouldMakeOfAFile(t *testing.T) {
	good := strings.Replace(wholeBody, `"callDurationSeconds":null`, `"callDurationSeconds":1`, 1)
	files := map[string]string{
		"good.json":    good,
		"renamed.json": strings.Replace(good, `"callDurationSeconds":1`, `"call.durationSeconds":"1"`, 1),
		"new.json":     strings.Replace(good, `"agentId":null`, `"agentId":null,"SECRETNAME":1`, 1),
		"bad.json":     strings.Replace(good, `"callOutcome":"answered"`, `"callOutcome":5`, 1),
		"noid.json":    `{}`,
		"nojson.json":  `{`,
		"own.json":     `{"x-hookgate":{"name":"orders","version":2,"event_id":["/id"]},"required":["total"]}`,
		"order.json":   `{"id":"7","total":1}`,
		"broken.json":  `{"x-hookgate":{}}`,
	}
	for _, tc := range []struct {
		name  string
		args  []string
		code  int
		want  []string
		never []string
	}{
		{"a good one", []string{"good.json"}, 0, []string{"good.json: meets pe-action-map/1\n", "fingerprint", "timestamp    2026-05-14T18:32:11.45Z"}, []string{"evt", "drift", "+1415"}},
		{"a good one with values", []string{"good.json", "--show-values"}, 0, []string{"event ID     evt\n"}, []string{"+1415"}},
		{"drift", []string{"renamed.json"}, 0, []string{"meets pe-action-map/1, repaired", "drift        renamed /callDurationSeconds", "drift        string_number /callDurationSeconds"}, []string{"+1415", "evt"}},
		{"drift with values", []string{"renamed.json", "--show-values"}, 0, []string{`,"callDurationSeconds":1}`}, nil},
		{"strict drift", []string{"renamed.json", "new.json", "good.json", "--strict"}, 1, []string{"new.json: meets pe-action-map/1, with drift", "unknown_member /*", "drifted from pe-action-map/1: 2 of 3 files"}, []string{"SECRETNAME"}},
		{"a violation", []string{"bad.json", "good.json"}, 1, []string{"bad.json: does not meet pe-action-map/1", "violation    type /callOutcome", "not what pe-action-map/1 asks for: 1 of 2 files"}, nil},
		{"no ID, no JSON", []string{"noid.json", "nojson.json"}, 1, []string{"noid.json: missing_event_id\n  error        the event ID /webhookEventId is absent", "nojson.json: invalid_json\n  error        the body breaks off", "2 of 2 files"}, nil},
		{"one of one's own", []string{"order.json", "--contract-file", "own.json"}, 0, []string{"meets orders/2"}, nil},
		{"another built-in one", []string{"good.json", "--contract", "open-messaging"}, 1, []string{"missing_event_id"}, nil},
		{"the standard input", []string{"-"}, 1, []string{"-: invalid_json"}, nil},
		{"no file", nil, 2, []string{"give a file"}, nil},
		{"a file that is not there", []string{"good.json", "nowhere.json"}, 2, []string{"nowhere.json"}, []string{"good.json: meets"}},
		{"both contracts", []string{"good.json", "--contract", "open-messaging", "--contract-file", "own.json"}, 2, []string{"exclude each other"}, nil},
		{"an unknown contract", []string{"good.json", "--contract", "other"}, 2, []string{`"other" is not built in: there are conversation-event, open-messaging, pe-action-map`}, nil},
		{"a broken contract", []string{"good.json", "--contract-file", "broken.json"}, 2, []string{"contract broken.json: x-hookgate: name is missing"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code := runContract(t, "x", files, append([]string{"check"}, tc.args...)...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for _, want := range tc.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
			for _, never := range tc.never {
				if strings.Contains(out, never) {
					t.Errorf("%q is in\n%s", never, out)
				}
			}
		})
	}
	out, code := runContract(t, "", files, "check", "--json", "renamed.json", "bad.json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var first, second checked
	if code != 1 || len(lines) != 3 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &second) != nil ||
		!first.OK || len(first.Drift) != 2 || !first.WasRepaired || first.Repaired != "" || second.OK || len(second.Violations) != 1 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestContractsAreListedAndShown(t *testing.T) {
	out, code := runContract(t, "", nil, "list")
	if code != 0 || !strings.Contains(out, "open-messaging/1      An outbound message") || strings.Count(out, "\n") != 4 {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = runContract(t, "", nil, "show", "pe-action-map")
	if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, `"name": "pe-action-map"`) {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code = runContract(t, "", nil, "show", "other"); code != 2 || !strings.Contains(out, "is not built in") {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = runContract(t, "", nil, "list", "--json")
	var first struct{ Contract, Title string }
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&first); code != 0 || err != nil || first.Contract != "conversation-event/1" || first.Title == "" {
		t.Errorf("%d %v %+v %s", code, err, first, out)
	}
}

func TestContractDriftShowsWhatTheProcessHasSeen(t *testing.T) {
	const answer = `{"since":"2026-05-14T12:00:00Z","drift":[
		{"hook":"a","pointer":"/*","kind":"unknown_member","first_seen":"2026-05-14T12:00:01Z","last_seen":"2026-05-14T12:00:02Z","count":7},
		{"hook":"b\u001b","pointer":"/x","kind":"renamed","first_seen":"2026-05-14T12:00:01Z","last_seen":"2026-05-14T12:00:02Z","count":1}]}`
	path := ""
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		_, _ = io.WriteString(w, answer)
	}))
	defer api.Close()
	address := strings.TrimPrefix(api.URL, "http://")
	for _, tc := range []struct {
		name        string
		args        []string
		want, never string
	}{
		{"all", nil, "unknown_member", "\x1b"},
		{"of one hook", []string{"--hook", "b\x1b"}, "renamed", "unknown_member"},
		{"of none", []string{"--hook", "c"}, "no drift since ", "HOOK"},
		{"in JSON", []string{"--json", "--hook", "a"}, `"count":7`, "renamed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code := runContract(t, "", nil, append([]string{"drift", "--address", address}, tc.args...)...)
			if code != 0 || !strings.Contains(out, tc.want) || strings.Contains(out, tc.never) {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
	if path != "/hookgate/drift" {
		t.Errorf("it asks for %s", path)
	}
}
