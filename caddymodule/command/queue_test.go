package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// runQueue runs the command against an admin API that answers so.
func runQueue(t *testing.T, status int, answer string, args ...string) (out string, code int, err error) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer api.Close()
	var buf bytes.Buffer
	cmd := newQueue()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append(args, "--address", strings.TrimPrefix(api.URL, "http://")))
	cmd.SetOut(&buf)
	err = cmd.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[*ExitError](err); ok {
		code = exit.Code
	}
	return buf.String(), code, err
}

func TestAnErrorOfTheAdminAPIIsASentenceThatSaysWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		answer string
		want   string
	}{
		{"no hook, or no Hookgate", 404, `{"error":"no hook is configured"}`, "has no hooks: its config has no genesys_webhook"},
		{"a Caddy that does not know the path", 404, "404 page not found\n", "built without Hookgate"},
		{"another version", 400, `{"error":"values is unknown"}`, "(values is unknown): it may be an older version"},
		{"another origin", 403, `{"error":"host not allowed"}`, "origins"},
		{"events elsewhere", 501, `{"error":"this queue cannot be looked into"}`, "not in this process"},
		{"a queue that cannot be read", 503, `{"error":"marked bad"}`, "cannot be read now: marked bad; /readyz"},
		{"something else", 500, "\x1b[2Jx", `answers 500: \x1b[2Jx`},
		{"no JSON", 200, "<html>", "answers something else"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := runQueue(t, tc.status, tc.answer)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q in one line", err, tc.want)
			}
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	cmd := newQueue()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"--address", l.Addr().String()})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "is Hookgate running there?") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestWrongUsageOfPeekSaysWhatIsRight(t *testing.T) {
	for want, args := range map[string][]string{
		"--limit is 1 to 1000, not 0":         {"--limit", "0"},
		"--limit is 1 to 1000, not 5000":      {"--limit", "5000"},
		"--limit is 1 to 1000, not -1":        {"--limit", "-1"},
		`--state is ready or dead, not "odd"`: {"--state", "odd"},
	} {
		_, code, err := runQueue(t, 200, `{"events":[]}`, append([]string{"peek"}, args...)...)
		if code != 2 || err.Error() != want {
			t.Errorf("%q: exit code %d, %v", args, code, err)
		}
	}
}

func TestABodyDoesNotSteerTheTerminal(t *testing.T) {
	// A CSI of the C1 set, DEL, an override of the direction, and a letter
	// beyond the first plane that has no glyph.
	const body = `{"a":"\u001b[2J` + "\u009b2J\u007f\u202e\U000e0001 ü" + `"}`
	answer := `{"events":[{"seq":1,"hook":"` + "\u009b" + `","event_id":"x","fault":{"kind":"` + "\u009b" + `","message":"` + "\u009b" + `"},"body":` + body + `}]}` + "\n"
	for _, args := range [][]string{{"peek", "--show-values"}, {"peek", "--show-values", "--json"}} {
		out, _, err := runQueue(t, 200, answer, args...)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out, "\u001b\u009b\u007f\u202e\U000e0001") {
			t.Errorf("%q: raw control characters in %q", args, out)
		}
		if !strings.Contains(out, `\u001b[2J\u009b2J\u007f\u202e\udb40\udc01 ü`) {
			t.Errorf("%q: they are not shown in %q", args, out)
		}
		if args[len(args)-1] == "--json" && !json.Valid([]byte(out)) {
			t.Errorf("not JSON: %q", out)
		}
	}
}

func TestTheSpoolIsShownBesideTheQueue(t *testing.T) {
	const spool = `"spool":{"events":812,"dead_letters":3,"put_off":2,"oldest_seconds":12.4,"bytes":1048576,"max_bytes":4294967296,"spooled":900,"forwarded":85,"queue":"rabbitmq: down"}`
	for _, tc := range []struct {
		name, answer string
		want, not    []string
		err          string
	}{
		{
			"with the counts of the queue", `{"ready":7,"dead":1,` + spool + `}`,
			[]string{"ready  7", "dead   1", "events                     812", "dead letters               3", "refused, tried again       2", "oldest                     12s", "1.0 MiB of 4.0 GiB", "forwarded since the start  85", "rabbitmq: down"},
			nil, "",
		},
		{
			"where the queue cannot be asked", `{"error":"queue is not available",` + spool + `}`,
			[]string{"events                     812"},
			[]string{"ready"},
			"cannot be asked: queue is not available",
		},
		{"without a spool", `{"ready":7,"dead":1}`, []string{"ready  7"}, []string{"NODE", "due"}, ""},
		{"with nothing to be tried again", `{"ready":7,"due":0,"in_work":0,"dead":1}`, []string{"ready  7"}, []string{"due"}, ""},
		{"with events to be tried again", `{"ready":7,"due":2,"in_work":0,"dead":1}`, []string{"due      2", "in work  0"}, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, _, err := runQueue(t, 200, tc.answer)
			for _, text := range tc.want {
				if !strings.Contains(out, text) {
					t.Errorf("it does not say %q:\n%s", text, out)
				}
			}
			for _, text := range tc.not {
				if strings.Contains(out, text) {
					t.Errorf("it says %q:\n%s", text, out)
				}
			}
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("it ends with %v", err)
			}
			if raw, _, _ := runQueue(t, 200, tc.answer, "--json"); raw != tc.answer {
				t.Errorf("as JSON: %s", raw)
			}
		})
	}
}
