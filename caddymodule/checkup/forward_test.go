package checkup_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/checkup"
	"github.com/hookgate/hookgate/doctor"
)

func TestWhereEventsAreForwardedToIsReached(t *testing.T) {
	var requests atomic.Int64
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	plain, untrusted, gone := httptest.NewServer(h), httptest.NewTLSServer(h), httptest.NewServer(h)
	defer plain.Close()
	defer untrusted.Close()
	gone.Close()
	online := checkup.Options{Examination: app.Examination{Timeout: 10 * time.Second}}
	for _, tc := range []struct {
		name, url string
		want      doctor.Status
	}{
		{"it is there", plain.URL, doctor.OK},
		{"its certificate is nobody's", untrusted.URL, doctor.Fail},
		{"it is gone", gone.URL, doctor.Fail},
	} {
		caddyfile := "{\n\thookgate {\n\t\tdata_dir " + t.TempDir() + "\n\t\tconsumer {\n\t\t\tforward " + tc.url + "/events\n\t\t}\n\t}\n}\n:8080 {\n\tgenesys_webhook\n\trespond 404\n}\n"
		if got, seen := worst(run(t, caddyfile, online), "consumer.reach"); got != tc.want {
			t.Errorf("%s: %s %s, want %s", tc.name, got, seen, tc.want)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}
