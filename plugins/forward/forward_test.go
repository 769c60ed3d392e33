package forward

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/hookgate/hookgate/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sample() *hook.Event {
	return &hook.Event{
		ID: "conv-1/part 2", Hook: "pe-action-map", ContentType: "application/json; charset=utf-8",
		Body: []byte(`{"contactNumber":"+49 170 0000000"}`), Fingerprint: hook.Fingerprint{1, 2, 3},
		ReceivedAt: time.Date(2026, 5, 14, 20, 32, 11, 450_000_000, time.FixedZone("", 7200)),
		Header:     map[string]string{hook.HeaderTraceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", hook.HeaderTracestate: "a=b", hook.HeaderDrift: "renamed /a"},
		Attempt:    2, Replay: 1,
	}
}

// serve starts a downstream.
func serve(t *testing.T, fn http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(fn)
	t.Cleanup(s.Close)
	return s
}

func open(t *testing.T, opts Options) *Handler {
	t.Helper()
	h, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close(context.Background()) })
	return h
}

// fault returns the fault that handling an event ends in.
func fault(t *testing.T, h *Handler, ev *hook.Event) *hook.Fault {
	t.Helper()
	err := h.Handle(context.Background(), ev)
	if err == nil {
		return nil
	}
	f, ok := errors.AsType[*hook.Fault](err)
	if !ok {
		t.Fatalf("%v is no fault", err)
	}
	for _, text := range []string{f.Error(), fmt.Sprint(f.Err)} {
		for _, secret := range []string{"0000000", "conv-1", "hunter2", "jane", "127.0.0.1"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q holds %q", text, secret)
			}
		}
	}
	return f
}

func TestAnEventIsPostedAsItIs(t *testing.T) {
	var got http.Header
	var body []byte
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		got.Set("x", r.Method+" "+r.RequestURI+" "+r.Host)
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	h := open(t, Options{URL: s.URL + "/in?a=b", Header: http.Header{"X-Team": {"voice"}, "Host": {"internal.example"}}})
	if f := fault(t, h, sample()); f != nil {
		t.Fatal(f)
	}
	want := http.Header{
		"X": {"POST /in?a=b internal.example"}, "Content-Type": {"application/json; charset=utf-8"}, "Content-Length": {"35"},
		"Idempotency-Key": {"conv-1/part 2"}, "X-Hookgate-Hook": {"pe-action-map"}, "X-Hookgate-Received-At": {"2026-05-14T18:32:11.45Z"},
		"X-Hookgate-Attempt": {"3"}, "X-Hookgate-Replay": {"1"}, "X-Hookgate-Fingerprint": {sample().Fingerprint.String()}, "X-Hookgate-Drift": {"renamed /a"},
		"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Tracestate": {"a=b"},
		"User-Agent": {"hookgate"}, "X-Team": {"voice"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if string(body) != string(sample().Body) {
		t.Errorf("body: %s", body)
	}
}

func TestTheSpanOfTheAttemptGoesWithTheEvent(t *testing.T) {
	var got http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	h := open(t, Options{URL: s.URL})
	state, _ := trace.ParseTraceState("c=d")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state})
	if err := h.Handle(trace.ContextWithSpanContext(context.Background(), span), sample()); err != nil {
		t.Fatal(err)
	}
	if got.Get("Traceparent") != "00-01000000000000000000000000000000-0200000000000000-01" || got.Get("Tracestate") != "c=d" {
		t.Errorf("%v", got)
	}
}

func TestWhatAnotherProgramPutIntoAnEventCannotBreakTheRequest(t *testing.T) {
	var got http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	h := open(t, Options{URL: s.URL})
	for _, id := range []string{"a\r\nX-Evil: 1", " a", "a ", "\u00e4", "\x00", "a\tb"} {
		ev := sample()
		ev.ID, ev.ContentType, ev.Hook = id, "a\nb", "\x01"
		ev.Header = map[string]string{hook.HeaderTraceparent: "\n"}
		if f := fault(t, h, ev); f != nil {
			t.Fatal(f)
		}
		if !strings.HasPrefix(got.Get("Idempotency-Key"), "sha256:") || got.Get("X-Evil") != "" || got.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	status := atomic.Int64{}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, "conv-1 +49 170 0000000 hunter2")
	})
	h := open(t, Options{URL: s.URL})
	for _, code := range []int{200, 201, 202, 204, 299} {
		status.Store(int64(code))
		if f := fault(t, h, sample()); f != nil {
			t.Errorf("%d: %v", code, f)
		}
	}
	for _, code := range []int{400, 410, 413, 415, 422} {
		status.Store(int64(code))
		if f := fault(t, h, sample()); f == nil || f.Kind != hook.KindPermanent || f.Status != code || f.RetryAfter != 0 {
			t.Errorf("%d: %+v", code, f)
		}
	}
	for _, code := range []int{300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 408, 409, 411, 418, 421, 425, 426, 429, 431, 451, 499, 500, 501, 502, 503, 504, 507, 599, 799} {
		status.Store(int64(code))
		if f := fault(t, h, sample()); f == nil || f.Kind != hook.KindTransient || f.Status != code || f.RetryAfter != 7*time.Second {
			t.Errorf("%d: %+v", code, f)
		}
	}
}

func TestRetryAfterIsReadAsItIsWritten(t *testing.T) {
	now := time.Date(2026, 5, 14, 18, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"120":                           2 * time.Minute,
		" 5 ":                           5 * time.Second,
		"-5":                            0,
		"1.5":                           0,
		"soon":                          0,
		"Thu, 14 May 2026 18:10:00 GMT": 10 * time.Minute,
		"Thu, 14 May 2026 17:00:00 GMT": 0,
		"Thu, 14 May 2099 17:00:00 GMT": maxRetryAfter,
		"99999999999":                   maxRetryAfter,
		"99999999999999999999999999999": maxRetryAfter,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 10_000))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	h := open(t, Options{URL: s.URL})
	for range 20 {
		if f := fault(t, h, sample()); f != nil {
			t.Fatal(f)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestADownstreamThatHangsIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	})
	defer close(release)
	h := open(t, Options{URL: s.URL, Timeout: 100 * time.Millisecond})
	begin := time.Now()
	f := fault(t, h, sample())
	if f == nil || f.Kind != hook.KindTransient || !strings.Contains(f.Message, "did not answer within 100ms") {
		t.Errorf("%+v", f)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTheEndOfTheContextIsTheEndOfTheAttempt(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	})
	defer close(release)
	h := open(t, Options{URL: s.URL})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	err := h.Handle(ctx, sample())
	if f, ok := errors.AsType[*hook.Fault](err); !ok || f.Kind != hook.KindTransient {
		t.Error(err)
	}
}

func TestALimitOfTheCallerIsToldFromAnAnswerThatCannotBeRead(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
	})
	defer close(release)
	h := open(t, Options{URL: s.URL})
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errors.New("the work limit was reached"))
	defer cancel()
	f, ok := errors.AsType[*hook.Fault](h.Handle(ctx, sample()))
	if !ok || f.Kind != hook.KindTransient || !strings.Contains(f.Message, "did not answer") || !errors.Is(f.Err, context.DeadlineExceeded) {
		t.Errorf("%+v", f)
	}
}

func TestAnEndlessAnswerIsCut(t *testing.T) {
	for name, status := range map[string]int{"processed": 200, "failed": 503} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				for {
					if _, err := w.Write(make([]byte, 32<<10)); err != nil {
						return
					}
				}
			})
			f := fault(t, open(t, Options{URL: s.URL}), sample())
			if (f == nil) != (status == 200) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestAnAnswerThatDoesNotEndIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	defer close(release)
	begin := time.Now()
	if f := fault(t, open(t, Options{URL: s.URL}), sample()); f != nil {
		t.Errorf("%+v", f)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// raw starts a downstream that does with a connection what it likes.
func raw(t *testing.T, fn func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fn(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestWhatIsNoAnswerIsATransientFault(t *testing.T) {
	readRequest := func(c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)) }
	for name, c := range map[string]struct {
		do   func(net.Conn)
		want string
	}{
		"a reset":              {func(c net.Conn) { readRequest(c); _ = c.(*net.TCPConn).SetLinger(0) }, "reset"},
		"an end":               {readRequest, ""},
		"half a header":        {func(c net.Conn) { readRequest(c); fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX-A: conv-1") }, "closed the connection"},
		"something else":       {func(c net.Conn) { readRequest(c); fmt.Fprint(c, "SSH-2.0 hunter2\r\n") }, "can be read"},
		"a header without end": {func(c net.Conn) { readRequest(c); endless(c) }, "can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, Options{URL: raw(t, c.do)})
			f := fault(t, h, sample())
			if f == nil || f.Kind != hook.KindTransient || f.Status != 0 || !strings.Contains(f.Message, c.want) {
				t.Errorf("%+v", f)
			}
		})
	}
}

func endless(c net.Conn) {
	_, err := fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
	for err == nil {
		_, err = fmt.Fprint(c, "X-Hunter2: "+strings.Repeat("y", 1000)+"\r\n")
	}
}

func TestADownstreamThatIsNotThereIsATransientFault(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	for name, url := range map[string]string{
		"nobody listens":  "http://jane:hunter2@" + addr,
		"no such name":    "http://jane:hunter2@nobody.invalid/",
		"it is not HTTPS": strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}).URL, "http://", "https://jane:hunter2@", 1),
	} {
		t.Run(name, func(t *testing.T) {
			f := fault(t, open(t, Options{URL: url}), sample())
			if f == nil || f.Kind != hook.KindTransient {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestACertificateIsVerified(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	if f := fault(t, open(t, Options{URL: s.URL}), sample()); f == nil || !strings.Contains(f.Message, "authority") {
		t.Errorf("%+v", f)
	}
	trust := s.Client().Transport.(*http.Transport).TLSClientConfig
	if f := fault(t, open(t, Options{URL: s.URL, TLS: trust}), sample()); f != nil {
		t.Errorf("%+v", f)
	}
	wrong := trust.Clone()
	wrong.ServerName = "other.invalid"
	if f := fault(t, open(t, Options{URL: s.URL, TLS: wrong}), sample()); f == nil || !strings.Contains(f.Message, "another name") {
		t.Errorf("%+v", f)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Bool
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/new" {
			followed.Store(true)
		}
		http.Redirect(w, r, "/new", http.StatusPermanentRedirect)
	})
	f := fault(t, open(t, Options{URL: s.URL}), sample())
	if followed.Load() || f == nil || f.Kind != hook.KindTransient || f.Status != 308 {
		t.Errorf("followed %v, %+v", followed.Load(), f)
	}
}

func TestCredentialsAreReadAgain(t *testing.T) {
	var got atomic.Value
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got.Store(r.Header.Get("Authorization")) })
	path := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bearer, basic := open(t, Options{URL: s.URL, BearerFile: path}), open(t, Options{URL: s.URL, BasicFile: path})
	for _, c := range []struct {
		h          *Handler
		file, want string
	}{
		{bearer, "hunter2\n", "Bearer hunter2"},
		{bearer, "hunter3", "Bearer hunter3"},
		{basic, "jane:hunter2\r\n", "Basic amFuZTpodW50ZXIy"},
		{basic, "jane:", "Basic amFuZTo="},
	} {
		write(c.file)
		if f := fault(t, c.h, sample()); f != nil || got.Load() != c.want {
			t.Errorf("%q: %v, %v", c.file, got.Load(), f)
		}
	}
	for _, file := range []string{"", "\n", "a\nb", "hunter2"} { // the last is no pair
		write(file)
		got.Store("")
		f := fault(t, basic, sample())
		if f == nil || f.Kind != hook.KindTransient || got.Load() != "" {
			t.Errorf("%q: %+v", file, f)
		}
	}
	_ = os.Remove(path)
	if f := fault(t, bearer, sample()); f == nil || f.Kind != hook.KindTransient {
		t.Errorf("no file: %+v", f)
	}
	if f := fault(t, open(t, Options{URL: strings.Replace(s.URL, "://", "://jane:hunter2@", 1)}), sample()); f != nil || got.Load() != "Basic amFuZTpodW50ZXIy" {
		t.Errorf("in the URL: %v, %v", got.Load(), f)
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"no URL":               {},
		"no scheme":            {URL: "example.com"},
		"another scheme":       {URL: "ftp://example.com"},
		"no host":              {URL: "http:///x"},
		"a bad URL":            {URL: "http://jane:hunter2@ex ample"},
		"a fragment":           {URL: "http://example.com/#x"},
		"a negative timeout":   {URL: "http://example.com", Timeout: -1},
		"two credentials":      {URL: "http://a:hunter2@example.com", BearerFile: "x"},
		"two files":            {URL: "http://example.com", BearerFile: "x", BasicFile: "y"},
		"a reserved header":    {URL: "http://example.com", Header: http.Header{"idempotency-key": {"x"}}},
		"a header of ours":     {URL: "http://example.com", Header: http.Header{"X-Hookgate-Hook": {"x"}}},
		"a header with a line": {URL: "http://example.com", Header: http.Header{"X-A": {"hunter2\nb"}}},
		"no name of a header":  {URL: "http://example.com", Header: http.Header{"X A": {"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(o)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Error(err)
			}
		})
	}
}
