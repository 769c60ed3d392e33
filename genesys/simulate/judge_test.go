package simulate

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answering starts a server with one handler.
func answering(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestLateAnswersFail(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(80 * time.Millisecond)
		statusAnswer(w, 202, "accepted")
	})
	report := mustRun(t, Options{URL: url, Count: 3, Deadline: 20 * time.Millisecond})
	if report.Late != 3 || report.Latencies[0].Late != 3 || report.OK() {
		t.Errorf("%d late: %s", report.Late, report.Verdict())
	}
	if l := report.Latencies[0]; l.P50 < 80*time.Millisecond || l.Max < l.P50 || l.Count != 3 {
		t.Errorf("latency %+v", l)
	}
	if report := mustRun(t, Options{URL: url, Count: 3, Deadline: 9 * time.Second}); !report.OK() {
		t.Errorf("within the deadline: %s", report.Verdict())
	}
}

func TestSilenceFails(t *testing.T) {
	url := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for name, o := range map[string]Options{
		"on good events":      {},
		"on oversized bodies": {Oversized: 1, MaxBody: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			o.URL, o.Count, o.Deadline, o.Timeout = url, 2, 50*time.Millisecond, 100*time.Millisecond
			report := mustRun(t, o)
			if report.Silent != 2 || report.OK() || report.Errors[0].Class != ClassTimeout {
				t.Errorf("%d silent, %+v: %s", report.Silent, report.Errors, report.Verdict())
			}
		})
	}
}

func TestRedirectsFailAndAreNotFollowed(t *testing.T) {
	var followed atomic.Int32
	other := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		followed.Add(1)
		statusAnswer(w, 202, "accepted")
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Alt-Svc", `http="`+strings.TrimPrefix(other, "http://")+`"`)
			w.Header().Set("Refresh", "0; url="+other)
			http.Redirect(w, r, other, status)
		})
		report := mustRun(t, Options{URL: url, Count: 4})
		if report.OK() || countOf(report, Good, status, noCode) != 4 {
			t.Errorf("%d: %+v: %s", status, report.Answers, report.Verdict())
		}
	}
	if n := followed.Load(); n != 0 {
		t.Errorf("%d requests went to another host", n)
	}
}

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	var proxied atomic.Int32
	proxy := answering(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	transport := newTransport(&Options{Concurrency: 1})
	if transport.Proxy != nil {
		t.Error("the transport has a proxy")
	}
	// net/http never uses a proxy for localhost; this host exists nowhere.
	report := mustRun(t, Options{URL: "http://hookgate.invalid/", Count: 1})
	if proxied.Load() != 0 || len(report.Errors) != 1 {
		t.Errorf("%d requests to the proxy, errors %+v", proxied.Load(), report.Errors)
	}
}

func TestBadBodiesThatAreTakenFail(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		status  int
		word    string
		ok      bool
	}{
		"malformed and accepted":  {Options{Malformed: 1}, 202, "accepted", false},
		"malformed and duplicate": {Options{Malformed: 1}, 200, "duplicate", false},
		"malformed and no JSON":   {Options{Malformed: 1}, 204, "", false},
		"malformed and parked":    {Options{Malformed: 1}, 202, "parked", true},
		"oversized and accepted":  {Options{Oversized: 1, MaxBody: 1000}, 202, "accepted", false},
		"oversized and parked":    {Options{Oversized: 1, MaxBody: 1000}, 202, "parked", true},
		"good and accepted":       {Options{}, 202, "accepted", true},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.options
			o.URL = answering(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if test.word == "" {
					w.WriteHeader(test.status)
					return
				}
				statusAnswer(w, test.status, test.word)
			})
			o.Count, o.Deadline = 5, 5*time.Second
			if report := mustRun(t, o); report.OK() != test.ok {
				t.Errorf("OK is %v: %s", report.OK(), report.Verdict())
			}
		})
	}
}

func TestRefusedGoodEventsDoNotFailAndSayWhy(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, _ *http.Request) { problemAnswer(w, 401, "unauthorized") })
	report := mustRun(t, Options{URL: url, Count: 3})
	if !report.OK() || len(report.Refused()) != 1 {
		t.Errorf("%s, refused %+v", report.Verdict(), report.Refused())
	}
	if notes := strings.Join(report.Notes(), "\n"); !strings.Contains(notes, "401 unauthorized") || !strings.Contains(notes, "--secret-header") {
		t.Errorf("notes do not help: %s", notes)
	}
}

func TestTransportErrorsAreSorted(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	cut := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	for name, test := range map[string]struct {
		url  string
		want []Class
	}{
		"nothing listens":             {"http://" + gone.Addr().String(), []Class{ClassRefused}},
		"a certificate is not known":  {tls.URL, []Class{ClassTLS}},
		"a connection is closed":      {cut, []Class{ClassClosed, ClassReset}},
		"HTTP where TLS was expected": {"https" + strings.TrimPrefix(cut, "http"), []Class{ClassOther, ClassTLS}},
	} {
		t.Run(name, func(t *testing.T) {
			report := mustRun(t, Options{URL: test.url, Count: 2, Concurrency: 1})
			if report.OK() || len(report.Errors) == 0 {
				t.Fatalf("%s, errors %+v", report.Verdict(), report.Errors)
			}
			for _, e := range report.Errors {
				if !strings.Contains(joinClasses(test.want), string(e.Class)) || e.Example == "" {
					t.Errorf("%+v, want one of %v", e, test.want)
				}
			}
		})
	}
}

func joinClasses(classes []Class) string {
	var s strings.Builder
	for _, c := range classes {
		s.WriteString(string(c) + " ")
	}
	return s.String()
}

func TestCutOversizedBodiesDoNotFail(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	report := mustRun(t, Options{URL: url, Count: 3, Oversized: 1, Deadline: 5 * time.Second})
	if !report.OK() || len(report.Errors) == 0 {
		t.Errorf("%s, errors %+v", report.Verdict(), report.Errors)
	}
}

func TestEventsAcceptedTwiceAreNoted(t *testing.T) {
	url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		statusAnswer(w, 202, "accepted")
	})
	report := mustRun(t, Options{URL: url, Count: 8, Duplicates: 0.5, InFlight: 0.25})
	if report.AcceptedTwice < 4 || !report.OK() {
		t.Errorf("%d twice, %s", report.AcceptedTwice, report.Verdict())
	}
	if u := report.Unexpected(); len(u) != 1 || u[0].Sent != Duplicate || u[0].Unexpected != 4 {
		t.Errorf("unexpected: %+v", u)
	}
}

func TestHTTP2AndCertificates(t *testing.T) {
	r := &receiver{limit: DefaultMaxBody, deadline: 250 * time.Millisecond, keys: map[[32]byte]bool{}}
	server := httptest.NewUnstartedServer(r)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, test := range map[string]struct {
		options Options
		proto   string
	}{
		"HTTP/2 with the given certificates": {Options{HTTP2: true, RootCAs: roots}, "HTTP/2.0"},
		"HTTP/1.1 by default":                {Options{RootCAs: roots}, "HTTP/1.1"},
		"any certificate":                    {Options{Insecure: true}, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(r.requests())
			o := test.options
			o.URL, o.Count, o.Chunked, o.Deadline = server.URL, 10, 0.5, 5*time.Second
			report := mustRun(t, o)
			if countOf(report, Good, 202, "accepted") != 10 || !report.OK() {
				t.Errorf("%s, %v", report.Verdict(), report.Notes())
			}
			for _, s := range r.requests()[before:] {
				if s.proto != test.proto {
					t.Errorf("came by %s", s.proto)
				}
			}
		})
	}
}

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	r := &receiver{limit: DefaultMaxBody, deadline: 250 * time.Millisecond, keys: map[[32]byte]bool{}}
	server := httptest.NewUnstartedServer(r)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	report := mustRun(t, Options{URL: server.URL, Count: 5, HTTP2: true, Deadline: 5 * time.Second})
	if countOf(report, Good, 202, "accepted") != 5 {
		t.Errorf("%s, %v", report.Verdict(), report.Notes())
	}
}
