package simulate

import (
	"context"
	"crypto/x509"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no URL":                      {func(o *Options) { o.URL = "" }, "http://"},
		"another scheme":              {func(o *Options) { o.URL = "ftp://secret.example" }, "http://"},
		"no host":                     {func(o *Options) { o.URL = "http:///hook" }, "host"},
		"no URL at all":               {func(o *Options) { o.URL = "http://secret.example/%zz" }, "not a URL"},
		"a password in the URL":       {func(o *Options) { o.URL = "http://u:secret@h/" }, "password"},
		"a fragment":                  {func(o *Options) { o.URL = "http://h/#secret" }, "fragment"},
		"a negative rate":             {func(o *Options) { o.Rate = -1 }, "rate"},
		"a rate that is no number":    {func(o *Options) { o.Rate = math.NaN() }, "rate"},
		"a rate of almost nothing":    {func(o *Options) { o.Rate = 1e-9 }, "rate"},
		"a negative count":            {func(o *Options) { o.Count = -1 }, "count"},
		"a negative duration":         {func(o *Options) { o.Duration = -1 }, "duration"},
		"a negative concurrency":      {func(o *Options) { o.Concurrency = -1 }, "concurrency"},
		"a huge body":                 {func(o *Options) { o.MaxBody = MaxMaxBody + 1 }, "body"},
		"a negative deadline":         {func(o *Options) { o.Deadline = -1 }, "deadline"},
		"a timeout before the end":    {func(o *Options) { o.Timeout = time.Millisecond }, "timeout"},
		"a share above 1":             {func(o *Options) { o.Duplicates = 1.1 }, "duplicates"},
		"a share below 0":             {func(o *Options) { o.Chunked = -0.1 }, "chunked"},
		"a share that is no number":   {func(o *Options) { o.InFlight = math.NaN() }, "in-flight"},
		"shares beyond 1 together":    {func(o *Options) { o.Malformed, o.Slow = 0.6, 0.6 }, "together"},
		"pairs without room":          {func(o *Options) { o.InFlight, o.Concurrency = 0.1, 1 }, "concurrency"},
		"a length by hand":            {func(o *Options) { o.Header = http.Header{"Content-Length": {"1"}} }, "Content-Length"},
		"a field that cannot be sent": {func(o *Options) { o.Header = http.Header{"A b": {"secret"}} }, "name"},
		"a value that cannot be sent": {func(o *Options) { o.Header = http.Header{"X": {"secret\r\nY: z"}} }, "value"},
		"two ways to trust":           {func(o *Options) { o.Insecure, o.RootCAs = true, x509.NewCertPool() }, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{URL: "http://127.0.0.1:1/", Count: 1}
			test.change(&o)
			_, err := Run(t.Context(), o)
			if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one about %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	o := Options{URL: "http://h/"}
	if _, err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	want := Options{
		URL: "http://h/", Source: SourceDataAction, Payload: "pe-action-map", RetryPause: 5 * time.Second,
		Count: 500, Concurrency: 16, MaxBody: 65536,
		Deadline: 550 * time.Millisecond, Timeout: 10 * time.Second,
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	open := Options{URL: "http://h/", Duration: time.Second, Deadline: time.Minute}
	if _, err := open.prepare(); err != nil || open.Count != 0 || open.Timeout != 2*time.Minute {
		t.Errorf("with a duration: %+v, %v", open, err)
	}
}

func TestHeaderFieldsAreParsed(t *testing.T) {
	for text, want := range map[string][2]string{
		"X-Token: abc": {"X-Token", "abc"},
		"X-Token:a:b ": {"X-Token", "a:b"},
		"X-Empty:":     {"X-Empty", ""},
	} {
		if name, value, err := ParseHeader(text); err != nil || name != want[0] || value != want[1] {
			t.Errorf("%q gives %q, %q, %v", text, name, value, err)
		}
	}
	for _, text := range []string{"", "secret", ": secret", "a b: secret"} {
		if _, _, err := ParseHeader(text); !errors.Is(err, ErrOptions) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q gives %v", text, err)
		}
	}
}

func TestEventsAreDueAtTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		pace := pacer{start: start, rate: 4}
		for n, want := range []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond} {
			if err := pace.wait(t.Context(), n); err != nil || time.Since(start) != want {
				t.Errorf("event %d after %v, %v; want %v", n, time.Since(start), err, want)
			}
		}
		if err := pace.wait(t.Context(), 1); err != nil || time.Since(start) != 500*time.Millisecond {
			t.Errorf("an event that is overdue waited until %v", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := pace.wait(ctx, 1000); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the end of the context gives %v", err)
		}
		if err := (pacer{}).wait(ctx, 5); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a rate the end of the context gives %v", err)
		}
	})
}

func TestPercentilesAreNear(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("a percentile of nothing is not 0")
	}
	for i := 1; i <= 1000; i++ {
		h.add(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.9: 900 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		got := h.quantile(q)
		if got < want || got > want+want/60 {
			t.Errorf("%v is %v, want %v or 1.6%% more", q, got, want)
		}
	}
	h.add(100 * time.Hour)
	h.add(-time.Second)
	if h.max != 100*time.Hour || h.count != 1002 || h.quantile(1) > h.max {
		t.Errorf("max %v, count %d", h.max, h.count)
	}
	for d := range time.Duration(5000) {
		us := d * 1009 * time.Microsecond
		if b := bucketOf(us); upperBound(b) < us || b > 0 && upperBound(b-1) >= us {
			t.Fatalf("%v is in bucket %d, which ends at %v", us, b, upperBound(b))
		}
	}
}

func TestCodesOfAnswersAreRead(t *testing.T) {
	for body, want := range map[string]string{
		`{"status":"accepted","event_id":"e"}`: "accepted",
		`{"status":401,"code":"unauthorized"}`: "unauthorized",
		`{"status":"duplicate","code":"x_y"}`:  "x_y",
		`{"status":202}`:                       "-",
		`{"status":"Sarah Jenkins"}`:           "-",
		`[]`:                                   "-",
		`<html>`:                               "-",
		``:                                     "-",
		`{"status":"` + strings.Repeat("a", 41) + `"}`: "-",
	} {
		if got := readCode(strings.NewReader(body)); got != want {
			t.Errorf("%s gives %q, want %q", body, got, want)
		}
	}
}

func TestExpectationsFollowThePromise(t *testing.T) {
	none, paired, known := circumstance{}, circumstance{paired: true}, circumstance{known: true}
	for _, test := range []struct {
		kind   Kind
		status int
		code   string
		when   circumstance
		want   bool
	}{
		{Good, 202, "accepted", none, true},
		{Good, 200, "accepted", none, true},
		{Good, 200, "-", none, true},
		{Good, 200, "duplicate", none, false},
		{Good, 202, "parked", none, false},
		{Good, 503, "in_flight", none, false},
		{Good, 200, "duplicate", paired, true},
		{Good, 503, "in_flight", paired, true},
		{InFlight, 202, "accepted", paired, true},
		{InFlight, 503, "overloaded", paired, false},
		{Duplicate, 200, "duplicate", known, true},
		{Duplicate, 202, "accepted", known, false},
		{Duplicate, 202, "accepted", none, true},
		{Malformed, 400, "invalid_json", none, true},
		{Malformed, 202, "parked", none, true},
		{Malformed, 202, "accepted", none, false},
		{Malformed, 500, "internal", none, false},
		{Oversized, 413, "body_too_large", none, true},
		{Oversized, 400, "invalid_json", none, false},
		{Slow, 504, "deadline_exceeded", none, true},
		{Slow, 202, "accepted", none, false},
	} {
		if got := expected(test.kind, reply{status: test.status, code: test.code}, test.when); got != test.want {
			t.Errorf("%s answered %d %s (%+v): expected is %v", test.kind, test.status, test.code, test.when, got)
		}
	}
}
