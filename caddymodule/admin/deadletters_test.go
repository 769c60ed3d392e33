package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/hook"
)

// memory is dead letters in memory.
type memory struct {
	letters []*hook.DeadLetter
	sent    []*hook.Event
	err     error // of a sweep, at its end
}

func (m *memory) Sweep(_ context.Context, fn func(*hook.DeadLetter) hook.Verdict) error {
	var kept []*hook.DeadLetter
	for i, l := range m.letters {
		v := fn(l)
		if v.Do == hook.Stop {
			kept = append(kept, m.letters[i:]...)
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
	return m.err
}

func (m *memory) Count(context.Context) (int, error) { return len(m.letters), nil }

func filled(n int) *memory {
	m := new(memory)
	for i := range n {
		ev := &hook.Event{ID: fmt.Sprintf("evt-%d", i), Hook: "pe-action-map", Body: []byte(`{"number":"+14155550123"}`)}
		m.letters = append(m.letters, &hook.DeadLetter{
			ID: hook.LetterID(ev), Event: ev,
			Fault: hook.Fault{Kind: hook.KindExhausted, Message: "failed", Time: time.Date(2026, 5, 14, 12, i, 0, 0, time.UTC)},
		})
	}
	return m
}

// serve serves an API as Caddy does.
func serve(t *testing.T, api *DeadLetters) string {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range api.Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := route.Handler.ServeHTTP(w, r); err != nil {
				code := http.StatusInternalServerError
				if e, ok := errors.AsType[caddy.APIError](err); ok {
					code = e.HTTPStatus
				}
				w.WriteHeader(code)
				_ = json.NewEncoder(w).Encode(caddy.APIError{Message: err.Error()})
			}
		})
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func of(m *memory) *DeadLetters {
	return &DeadLetters{Open: func(context.Context) (hook.DeadLetters, func(), error) { return m, func() {}, nil }}
}

func ask(t *testing.T, method, url, body string) (code int, lines []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.Split(strings.TrimSpace(string(raw)), "\n")
}

func TestDeadLettersAreListedAsLines(t *testing.T) {
	url := serve(t, of(filled(5)))
	code, lines := ask(t, "GET", url+LettersPath+"?since=2026-05-14T12:01:00Z&limit=2", "")
	if code != 200 || len(lines) != 3 || lines[2] != `{"end":true,"matched":4}` || strings.Contains(lines[0], "+1415") {
		t.Errorf("%d: %q", code, lines)
	}
	code, lines = ask(t, "POST", url+SearchPath, `{"filter":{"event_id":"evt-3","where":["/number=+14155550123"]},"values":true}`)
	if code != 200 || len(lines) != 2 || !strings.Contains(lines[0], "+1415") || !strings.Contains(lines[0], "evt-3") {
		t.Errorf("%d: %q", code, lines)
	}
}

func TestDeadLettersAreSentAgainAndRemovedInSteps(t *testing.T) {
	m := filled(5)
	url := serve(t, of(m))
	code, lines := ask(t, "POST", url+ReplayPath, fmt.Sprintf(`{"filter":{"ids":[%q,%q]},"rate":1000}`, m.letters[1].ID, m.letters[3].ID))
	if code != 200 || lines[len(lines)-1] != `{"report":{"matched":2,"done":2,"kept":0,"left":0}}` || len(m.sent) != 2 || len(m.letters) != 3 {
		t.Errorf("%d: %q", code, lines)
	}
	code, lines = ask(t, "POST", url+DiscardPath, fmt.Sprintf(`{"ids":[%q,"0123456789abcdef"]}`, m.letters[0].ID))
	if code != 200 || lines[len(lines)-1] != `{"report":{"matched":2,"done":1,"kept":0,"left":1}}` || len(m.letters) != 2 {
		t.Errorf("%d: %q", code, lines)
	}
	code, lines = ask(t, "POST", url+EditPath, fmt.Sprintf(`{"id":%q,"patch":{"a":1}}`, m.letters[0].ID))
	if code != 200 || !strings.Contains(lines[0], `"event_digest"`) || len(m.letters) != 1 || string(m.sent[2].Body) != `{"number":"+14155550123","a":1}` {
		t.Errorf("%d: %q", code, lines)
	}
}

func TestARequestThatMakesNoSenseChangesNothing(t *testing.T) {
	m := filled(2)
	url := serve(t, of(m))
	id := m.letters[0].ID
	many := strings.Repeat(`"`+id+`",`, MaxStep) + `"` + id + `"`
	for _, tc := range []struct {
		name, method, path, body string
		code                     int
		want                     string
	}{
		{"an unknown filter", "GET", LettersPath + "?colour=red", "", 400, "colour is unknown"},
		{"a filter twice", "GET", LettersPath + "?hook=a&hook=b", "", 400, "stands 2 times"},
		{"a bad time", "GET", LettersPath + "?since=x", "", 400, "neither a time"},
		{"a bad limit", "GET", LettersPath + "?limit=-1", "", 400, "limit is not a number"},
		{"an event ID where it would be logged", "GET", LettersPath + "?event_id=evt", "", 400, "addresses are logged"},
		{"another method", "POST", LettersPath, "", 405, "use GET"},
		{"a look where something changes", "GET", ReplayPath, "", 405, "use POST"},
		{"an unknown option", "POST", SearchPath, `{"colour":1}`, 400, "colour"},
		{"something behind it", "POST", SearchPath, `{}{}`, 400, "behind"},
		{"a bad filter", "POST", SearchPath, `{"filter":{"kind":"x"}}`, 400, "not one of"},
		{"nothing named to send", "POST", ReplayPath, `{}`, 400, "say which letters"},
		{"all to send", "POST", ReplayPath, `{"all":true}`, 400, "by their IDs, not 0"},
		{"too many to send", "POST", ReplayPath, `{"filter":{"ids":[` + many + `]}}`, 400, "not 1001"},
		{"nothing named to discard", "POST", DiscardPath, `{}`, 400, "say which letters"},
		{"no such letter to edit", "POST", EditPath, `{"id":"0123456789abcdef","body":"e30="}`, 404, "no such letter"},
		{"no change", "POST", EditPath, `{"id":"` + id + `","patch":{}}`, 422, "what it was"},
		{"no JSON object", "POST", EditPath, `{"id":"` + id + `","body":"W10="}`, 422, "object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, lines := ask(t, tc.method, url+tc.path, tc.body)
			if code != tc.code || !strings.Contains(lines[0], tc.want) {
				t.Errorf("%d: %q", code, lines)
			}
		})
	}
	resp, err := http.Post(url+DiscardPath, "text/plain", strings.NewReader(`{"ids":["`+id+`"]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 415 {
		t.Errorf("a form of another site: %d", resp.StatusCode)
	}
	if len(m.letters) != 2 || len(m.sent) != 0 {
		t.Error("something has changed")
	}
}

func TestAnAnswerSaysWhatItEndedWith(t *testing.T) {
	m := filled(2)
	m.err = errors.New("the disk is gone")
	url := serve(t, of(m))
	if code, lines := ask(t, "GET", url+LettersPath, ""); code != 200 || lines[2] != `{"end":true,"matched":2,"error":"the disk is gone"}` {
		t.Errorf("%d: %q", code, lines)
	}
	if code, lines := ask(t, "GET", url+LettersPath+"?kind=poison", ""); code != 503 || !strings.Contains(lines[0], "the disk is gone") {
		t.Errorf("%d: %q", code, lines)
	}
	if code, lines := ask(t, "POST", url+ReplayPath, `{"filter":{"ids":["`+m.letters[0].ID+`"]}}`); code != 503 || !strings.Contains(lines[0], "the disk is gone") {
		t.Errorf("%d: %q", code, lines)
	}
}

func TestWithoutDeadLettersTheAnswerIsASentence(t *testing.T) {
	if code, lines := ask(t, "GET", serve(t, new(DeadLetters))+LettersPath, ""); code != 404 || !strings.Contains(lines[0], "no hook is configured") {
		t.Errorf("%d: %q", code, lines)
	}
}
