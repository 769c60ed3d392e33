package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/deadletter"
	"github.com/hookgate/hookgate/hook"
)

// memoryLetters are dead letters in memory.
type memoryLetters struct {
	mu      sync.Mutex
	letters []*hook.DeadLetter
	sent    []*hook.Event
	before  func(*memoryLetters) // called for each letter
	damaged error                // of a sweep that goes to the end
}

func (m *memoryLetters) Sweep(_ context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var kept []*hook.DeadLetter
	err := m.damaged
	for i, l := range m.letters {
		if m.before != nil {
			m.before(m)
		}
		v := fn(l)
		if v.Do == hook.Stop {
			kept = append(kept, m.letters[i:]...)
			err = nil
			break
		}
		switch v.Do {
		case hook.Keep:
			kept = append(kept, l)
		case hook.Send:
			m.sent = append(m.sent, v.Event)
		}
	}
	m.letters = kept
	return err
}

func (m *memoryLetters) Count(context.Context) (int, error) { return len(m.letters), nil }

const wholeBody = `{"campaignId":"c","campaignName":"n","contactId":"k","contactNumber":"+14155550123","callOutcome":"answered","agentId":null,"agentName":null,` +
	`"dispositionCode":null,"dispositionLabel":null,"callDurationSeconds":null,"timestamp":"2026-05-14T18:32:11.450Z","webhookEventId":"evt"}`

// deadEvent returns an event for a letter.
func deadEvent(n int) *hook.Event {
	return &hook.Event{
		ID: fmt.Sprintf("evt-%04d", n), Hook: "pe-action-map", Contract: "pe-action-map/1", ContentType: "application/json",
		Body: []byte(wholeBody), Fingerprint: hook.Fingerprint{byte(n), byte(n >> 8)}, ReceivedAt: time.Date(2026, 5, 14, 12, 0, n, 0, time.UTC),
	}
}

// deadFault is that of letter n: one in four is a conflict.
func deadFault(n int) hook.Fault {
	at := time.Date(2026, 5, 14, 13, 0, n, 0, time.UTC)
	if n%4 == 3 {
		return hook.Fault{Kind: hook.KindConflict, Message: "another body was taken", Time: at, First: at}
	}
	return hook.Fault{Kind: hook.KindExhausted, Message: fmt.Sprintf("the downstream answered after %d ms", n), Status: 503, Attempt: 7, Time: at, First: at}
}

func filledLetters(n int) *memoryLetters {
	m := new(memoryLetters)
	for i := range n {
		ev := deadEvent(i)
		m.letters = append(m.letters, &hook.DeadLetter{ID: hook.LetterID(ev), Event: ev, Fault: deadFault(i)})
	}
	return m
}

// serveLetters serves the admin API of a process with dead letters.
func serveLetters(t *testing.T, m *memoryLetters) (address string) {
	t.Helper()
	mux := http.NewServeMux()
	api := &admin.DeadLetters{Open: func(context.Context) (hook.DeadLetters, func(), error) { return m, func() {}, nil }}
	if m == nil {
		api.Open = nil // a process without hooks
	}
	for _, route := range api.Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := route.Handler.ServeHTTP(w, r); err != nil {
				e, _ := errors.AsType[caddy.APIError](err)
				w.WriteHeader(e.HTTPStatus)
				_ = json.NewEncoder(w).Encode(caddy.APIError{Message: err.Error()})
			}
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// ran is what became of a command.
type ran struct {
	out, errs string
	code      int
	err       error
}

// runLetters runs `dead-letters` with arguments.
func runLetters(ctx context.Context, args ...string) ran {
	var out, errs bytes.Buffer
	cmd := newDeadLetters()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetIn(strings.NewReader(""))
	r := ran{err: cmd.ExecuteContext(ctx)}
	r.out, r.errs = out.String(), errs.String()
	if r.err != nil {
		r.code = 1
		if exit, ok := errors.AsType[*ExitError](r.err); ok {
			r.code = exit.Code
		}
	}
	return r
}

func (r ran) check(t *testing.T, code int, wants ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d: %v", r.code, code, r.err)
	}
	all := fmt.Sprintf("%s%s%v", r.out, r.errs, r.err)
	for _, want := range wants {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in:\n%s", want, all)
		}
	}
	if strings.Contains(all, "4155550123") || strings.Contains(all, "evt-0") {
		t.Errorf("personal data in:\n%s", all)
	}
}

func TestDeadLettersOfAProcessAreFoundAndExplained(t *testing.T) {
	t.Setenv(amqpVariable, "")
	m := filledLetters(60)
	address := serveLetters(t, m)
	run := func(args ...string) ran { return runLetters(t.Context(), append(args, "--address", address)...) }

	list := run("list")
	list.check(t, 0, "50 of 60 shown; --limit 0 shows all", "EVENT (DIGEST)", hook.LogID("evt-0007"), m.letters[7].ID)
	if lines := strings.Count(list.out, "\n"); lines != 51 {
		t.Errorf("%d lines", lines)
	}
	run("list", "--kind", "conflict", "--since", "2026-05-14T13:00:30Z", "--limit", "0").check(t, 0, m.letters[31].ID)
	run("list", "--where", "/callOutcome=busy").check(t, 0, "no dead letters")
	run("groups").check(t, 0, "45 ", "15 ", "the downstream answered after <n> ms", "503")
	run("show", m.letters[3].ID).check(t, 0, "conflict", "bytes; --show-values shows it")
	run("show", m.letters[3].ID, "0123456789abcdef").check(t, 3, "there is no dead letter 0123456789abcdef")
	run("show", "0123456789abcdef").check(t, 1, "there is no dead letter 0123456789abcdef")

	values := run("list", "--limit", "1", "--show-values")
	if !strings.Contains(values.out, "evt-0000") || !strings.Contains(values.out, "+14155550123") {
		t.Errorf("no values in:\n%s", values.out)
	}
	var r deadletter.Record
	lines := strings.Split(strings.TrimSpace(run("export", "--json").out), "\n")
	if err := json.Unmarshal([]byte(lines[59]), &r); len(lines) != 60 || err != nil || r.ID != m.letters[59].ID || r.ErrorMessage != "another body was taken" {
		t.Errorf("%d lines, %v, %+v", len(lines), err, r)
	}
	path := filepath.Join(t.TempDir(), "export.jsonl")
	run("export", "--hook", "pe-action-map", "-o", path).check(t, 0, "60 dead letters in "+path)
	if raw, err := os.ReadFile(path); err != nil || bytes.Count(raw, []byte("\n")) != 60 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	if len(m.letters) != 60 {
		t.Errorf("%d letters are left of 60", len(m.letters))
	}
}

func TestDeadLettersOfAProcessAreSentAgainMendedAndPutAway(t *testing.T) {
	t.Setenv(amqpVariable, "")
	t.Chdir(t.TempDir())
	m := filledLetters(700)
	m.letters[5].Fault.Kind, m.letters[5].Event.Body = hook.KindInvalid, []byte(`{"webhookEventId":"evt"}`)
	address := serveLetters(t, m)
	run := func(args ...string) ran { return runLetters(t.Context(), append(args, "--address", address)...) }
	invalid := m.letters[5].ID

	run("replay", "--all", "--dry-run").check(t, 3, "699 of 700 dead letters would be sent, 1 kept", "still invalid: does not meet pe-action-map/1")
	run("replay", "--kind", "conflict", "--limit", "170", "--yes").check(t, 0, "170 of 175 dead letters sent, 5 left")
	if m.sent[0].ID != "evt-0003~"+m.sent[0].Fingerprint.String()[:8] || m.sent[0].Replay != 1 || len(m.letters) != 530 {
		t.Errorf("%d letters; %+v", len(m.letters), m.sent[0])
	}
	run("edit", invalid, "--merge-patch", `{"callOutcome":"x"}`, "--yes").check(t, 1, "the new body: does not meet")
	if err := os.WriteFile("fixed.json", []byte(wholeBody), 0o600); err != nil {
		t.Fatal(err)
	}
	run("edit", invalid, "--body", "fixed.json", "--dry-run").check(t, 0, "would be sent in the place of "+invalid)
	run("edit", invalid, "--body", "fixed.json", "--yes", "--archive", "was.jsonl").check(t, 0, "was sent in the place of "+invalid, "was.jsonl")
	if got := m.sent[len(m.sent)-1]; got.Header[hook.HeaderReplaces] != invalid || string(got.Body) != wholeBody {
		t.Errorf("got %+v", got)
	}
	if raw, err := os.ReadFile("was.jsonl"); err != nil || !strings.Contains(string(raw), invalid) {
		t.Errorf("the letter as it was: %s, %v", raw, err)
	}
	run("discard", "--status", "5xx", "--limit", "300", "--dry-run").check(t, 0, "300 of 524 dead letters would be discarded, 224 left")
	discarded := run("discard", "--status", "5xx", "--limit", "300", "--yes", "--json")
	discarded.check(t, 0, `"done":300`, "the letters are in dead-letters-discarded-")
	files, _ := filepath.Glob("dead-letters-discarded-*.jsonl")
	raw, err := os.ReadFile(files[0])
	if err != nil || bytes.Count(raw, []byte("\n")) != 300 || len(m.letters) != 229 {
		t.Errorf("%d bytes, %v, %d letters", len(raw), err, len(m.letters))
	}
	run("replay", "--all", "--rate", "100000", "--yes").check(t, 0, "229 of 229 dead letters sent")
	run("replay", "--all", "--yes").check(t, 0, "no dead letters match: nothing was done")
	for _, words := range [][]string{{"replay", "--yes"}, {"replay", "--dry-run"}, {"discard", "--yes"}, {"discard", "--dry-run"}} {
		run(append(words, "0123456789abcdef")...).check(t, 1, "there is no dead letter 0123456789abcdef")
	}
	run("discard", "--all", "--yes").check(t, 0, "no dead letters match: nothing was done")
}

func TestAnInterruptedReplayIsPartial(t *testing.T) {
	t.Setenv(amqpVariable, "")
	m := filledLetters(400)
	address := serveLetters(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	m.before = func(m *memoryLetters) {
		if len(m.sent) == 100 {
			cancel()
		}
	}
	runLetters(ctx, "replay", "--all", "--rate", "500", "--yes", "--address", address).check(t, 3, "interrupted; run it again for the rest")
	m.mu.Lock()
	sent, left := len(m.sent), len(m.letters)
	m.mu.Unlock()
	if sent == 400 || sent+left != 400 {
		t.Errorf("%d sent, %d left", sent, left)
	}
}

func TestWrongUsageOfDeadLettersChangesNothing(t *testing.T) {
	t.Setenv(amqpVariable, "")
	m := filledLetters(3)
	address := serveLetters(t, m)
	id := m.letters[0].ID
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"say which letters are meant", []string{"replay", "--yes"}},
		{"say which letters are meant", []string{"discard", "--yes"}},
		{"say one of both", []string{"replay", "--all", "--kind", "poison", "--yes"}},
		{"say one of both", []string{"discard", "--all", id, "--yes"}},
		{"say --yes", []string{"replay", "--all"}},
		{"say --yes", []string{"discard", id}},
		{"say --yes", []string{"edit", id, "--merge-patch", `{"a":1}`}},
		{"--kind: ", []string{"list", "--kind", "odd"}},
		{"--since: ", []string{"list", "--since", "soon"}},
		{"--until: ", []string{"replay", "--until", "soon", "--yes"}},
		{"--hook: it is empty", []string{"discard", "--hook", "", "--yes"}},
		{"--where: ", []string{"groups", "--where", "callOutcome"}},
		{"letter: ", []string{"show", "evt"}},
		{"--limit", []string{"list", "--limit", "-1"}},
		{"--limit", []string{"replay", "--all", "--limit", "-1", "--yes"}},
		{"the rate", []string{"replay", "--all", "--rate", "-1", "--yes"}},
		{"--body FILE", []string{"edit", id, "--yes"}},
		{"--body FILE", []string{"edit", id, "--yes", "--body", "a", "--merge-patch", "{}"}},
		{"--body: ", []string{"edit", id, "--yes", "--body", "/none"}},
		{"is not JSON", []string{"edit", id, "--yes", "--merge-patch", "{a}"}},
		{"--contract: ", []string{"replay", "--all", "--yes", "--contract", "/none"}},
		{"--prefix is for --amqp", []string{"list", "--prefix", "x"}},
		{"use one of them", []string{"list", "--amqp", "amqp://u:hunter2@h"}},
	} {
		r := runLetters(t.Context(), append(tc.args, "--address", address)...)
		if r.code != 2 || !strings.Contains(r.err.Error(), tc.want) || strings.Contains(r.err.Error(), "hunter2") {
			t.Errorf("%q: exit code %d, %v", tc.args, r.code, r.err)
		}
	}
	if len(m.letters) != 3 || len(m.sent) != 0 {
		t.Error("something has changed")
	}
}

func TestAProcessWithoutDeadLettersIsASentence(t *testing.T) {
	t.Setenv(amqpVariable, "")
	runLetters(t.Context(), "list", "--address", serveLetters(t, nil)).check(t, 1, "no hook is configured; --address names another process")
	old := httptest.NewServer(http.NotFoundHandler())
	defer old.Close()
	runLetters(t.Context(), "list", "--address", strings.TrimPrefix(old.URL, "http://")).check(t, 1, "has no hooks")
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"id":"0123456789abcdef"}`)
	}))
	defer cut.Close()
	runLetters(t.Context(), "list", "--address", strings.TrimPrefix(cut.URL, "http://")).check(t, 3, "not all letters are shown", "breaks off")
	runLetters(t.Context(), "discard", "--all", "--yes", "--archive", filepath.Join(t.TempDir(), "x"), "--address", strings.TrimPrefix(cut.URL, "http://")).check(t, 1, "breaks off")
}

func TestAQuestionIsAnsweredWithYesOrNothingIsDone(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yep\n": false} {
		cmd := newDeadLetters()
		cmd.SetIn(strings.NewReader(answer))
		cmd.SetErr(new(bytes.Buffer))
		if got, err := askUser(t.Context(), cmd, "Replay 3 dead letters?"); err != nil || got != want {
			t.Errorf("%q is %v, %v", answer, got, err)
		}
	}
}

func TestAStepWhoseAnswerBreaksOffIsPartial(t *testing.T) {
	t.Setenv(amqpVariable, "")
	mux := http.NewServeMux()
	mux.HandleFunc(admin.SearchPath, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"id":"0123456789abcdef"}`+"\n"+`{"end":true,"matched":1}`)
	})
	mux.HandleFunc(admin.ReplayPath, func(http.ResponseWriter, *http.Request) {})
	s := httptest.NewServer(mux)
	defer s.Close()
	runLetters(t.Context(), "replay", "--all", "--yes", "--address", strings.TrimPrefix(s.URL, "http://")).check(t, 3, "0 of 1 dead letter sent, 1 left", "breaks off")
}

func TestProgressIsTold(t *testing.T) {
	var buf bytes.Buffer
	p := newLettersProgress(&buf, "sent")
	p.tell(deadletter.Progress{Done: 1, Matched: 9})
	p.last = time.Now().Add(-lineEvery)
	p.tell(deadletter.Progress{Done: 2, Kept: 1, Matched: 9})
	p.tell(deadletter.Progress{Done: 3, Matched: 9})
	p.end()
	if buf.String() != "2 of 9 sent, 1 kept\n" {
		t.Errorf("got %q", buf.String())
	}
	buf.Reset()
	p = &lettersProgress{w: &buf, redraw: true, done: "sent"}
	p.tell(deadletter.Progress{Done: 1, Matched: 9})
	p.end()
	if buf.String() != "\r\x1b[K1 of 9 sent, 0 kept\r\x1b[K" {
		t.Errorf("got %q", buf.String())
	}
}

func TestALetterThatCannotBeReadHoldsUpNoCommand(t *testing.T) {
	for name, c := range map[string]struct {
		args       []string
		out        string
		code       int
		sent, left int
	}{
		"replay":               {[]string{"replay", "--all", "--yes"}, "3 of 3 dead letters sent", exitPartial, 3, 0},
		"replay of none":       {[]string{"replay", "--hook", "other", "--yes"}, "no dead letters match", exitPartial, 0, 3},
		"discard":              {[]string{"discard", "--all", "--yes"}, "3 of 3 dead letters discarded", exitPartial, 0, 0},
		"a dry run of discard": {[]string{"discard", "--all", "--dry-run"}, "3 of 3 dead letters would be discarded", exitPartial, 0, 3},
		"edit":                 {[]string{"edit", "FIRST", "--merge-patch", `{"callOutcome":"busy"}`, "--yes"}, "was sent", 0, 1, 2},
		"list":                 {[]string{"list"}, "pe-action-map", exitPartial, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir()) // for the archive
			m := filledLetters(3)
			m.damaged = errors.Join(nil, errors.Join(&hook.Unreadable{Err: errors.New("entry 7")}))
			args := append(c.args, "--address", serveLetters(t, m))
			if args[1] == "FIRST" {
				args[1] = m.letters[0].ID
			}
			r := runLetters(t.Context(), args...)
			r.check(t, c.code, c.out)
			if c.code != 0 && !strings.Contains(r.err.Error(), "entry 7") {
				t.Errorf("the error does not name the letter: %v", r.err)
			}
			if len(m.sent) != c.sent || len(m.letters) != c.left {
				t.Errorf("%d sent, %d left", len(m.sent), len(m.letters))
			}
		})
	}
}

// Each step of the admin API looks through all letters: in steps of 1,000, a dry
// run of 100,000 took minutes of the process that takes events.
func TestADryRunLooksAtManyLettersAFewTimes(t *testing.T) {
	const n = 3 * admin.MaxStep
	m := filledLetters(n)
	looked := 0
	m.before = func(*memoryLetters) { looked++ }
	runLetters(t.Context(), "replay", "--all", "--dry-run", "--address", serveLetters(t, m)).check(t, 0, "3000 of 3000 dead letters would be sent")
	if looked > 3*n {
		t.Errorf("%d looks at %d letters", looked, n)
	}
}

func TestALetterDoesNotSteerTheTerminal(t *testing.T) {
	const csi = "\u009b"
	l := &hook.DeadLetter{
		Event: &hook.Event{
			ID: csi, Hook: csi, Contract: csi, ContentType: csi, Queue: csi, Task: csi, Body: []byte(csi),
			ClientIP: netip.MustParseAddr("fe80::1%" + csi), Header: map[string]string{hook.HeaderReplaces: csi, hook.HeaderTraceparent: csi},
		},
		Fault:          hook.Fault{Kind: csi, Message: csi, Violations: []hook.Violation{{Pointer: csi, Code: csi}}},
		OriginExchange: csi, OriginKey: csi,
	}
	for _, args := range [][]string{{"list"}, {"show", "0123456789abcdef"}, {"groups"}, {"export"}} {
		l.ID = "0123456789abcdef"
		r := runLetters(t.Context(), append(args, "--show-values", "--address", serveLetters(t, &memoryLetters{letters: []*hook.DeadLetter{l}}))...)
		r.check(t, 0, `\u009b`)
		if strings.Contains(r.out, csi) {
			t.Errorf("%q: raw control characters in %q", args, r.out)
		}
	}
}
