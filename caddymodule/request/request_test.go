package request

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/telemetry"
	"github.com/hookgate/hookgate/hook"
)

func newRequest(body io.Reader) (*httptest.ResponseRecorder, *http.Request) {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body)
	return w, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
}

// firstRoom notes how much room the first read of a body has.
type firstRoom struct {
	io.Reader
	room int
}

func (f *firstRoom) Read(p []byte) (int, error) {
	if f.room == 0 {
		f.room = len(p)
	}
	return f.Reader.Read(p)
}

func TestABodyGetsItsRoomAsItComes(t *testing.T) {
	const limit = 32 << 20
	for _, tc := range []struct {
		name             string
		length, promised int64
		most             int
	}{
		{"a small one", 1000, 1000, 4 << 10},
		{"a small one of unknown length", 1000, -1, 4 << 10},
		{"a large one", limit, limit, 80 << 10},
		{"a large one of unknown length", limit, -1, 4 << 10},
		{"a large promise", 10, limit, 80 << 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sent := bytes.Repeat([]byte("x"), int(tc.length))
			reader := &firstRoom{Reader: bytes.NewReader(sent)}
			_, r := newRequest(reader)
			r.ContentLength = tc.promised
			got, err := Body(r, limit)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
			}
			if reader.room > tc.most {
				t.Errorf("room for %d bytes before one was read, want at most %d", reader.room, tc.most)
			}
		})
	}
}

// A handler around ours may change the header of an answer, but of that one only.
func TestAChangedHeaderIsOneAnswersOwn(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	recorder, err := telemetry.NewRecorder(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w, r := newRequest(nil)
		Join(r, recorder, "").Answer(w, r, hook.OutcomeDuplicate, 0)
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Cache-Control": "no-store", "Idempotent-Replayed": "true",
		} {
			values := w.Header()[name]
			if len(values) != 1 || values[0] != want {
				t.Errorf("%s is %q", name, values)
				continue
			}
			values[0] = "changed"
		}
	}
}
