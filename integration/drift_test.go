package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An event of Open Messaging that drifts from its contract goes the whole way:
// three lines make the hook, and what was mended arrives.
func TestDriftIsMendedReportedAndForwarded(t *testing.T) {
	type delivery struct{ body, drift, contract string }
	arrived := make(chan delivery, 10)
	down := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- delivery{string(body), r.Header.Get("X-Hookgate-Drift"), r.Header.Get("Idempotency-Key")}
	}))
	t.Cleanup(down.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, fmt.Sprintf(`{
	admin $ADMIN
	auto_https off
	grace_period 5s
	persist_config off
	hookgate {
		data_dir $DIR/data
		consumer {
			forward %s
		}
	}
}

http://:$PORT {
	bind 127.0.0.1
	genesys_webhook {
		source open-messaging
		auth hub_signature {file.%s}
		timeout 5s
	}
	handle /metrics {
		metrics
	}
	respond 404
}
`, down.URL, secret))
	post := func(body string) answer {
		t.Helper()
		mac := hmac.New(sha256.New, []byte("0123456789abcdef"))
		mac.Write([]byte(body))
		a, err := send(http.DefaultClient, s.URL("/webhooks/genesys/open-messaging"), strings.NewReader(body),
			"X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(mac.Sum(nil)), "Content-Type", "application/octet-stream")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const drifted = `{"id":"om-1","channel":{"from":{"nickName":"SECRETNICK","id":"int-1"},"time":"2026-05-14T18:32:11.5"},"type":"Text","text":"Hi","SECRETNAME":1}`
	const mended = `{"id":"om-1","channel":{"from":{"nickName":"SECRETNICK","id":"int-1","nickname":"SECRETNICK"},"time":"2026-05-14T18:32:11.5Z"},"type":"Text","text":"Hi","SECRETNAME":1}`
	const drift = "unknown_member /*, renamed /channel/from/nickname, no_zone /channel/time"
	if a := post(drifted); a.status != 200 || a.code() != "accepted" {
		t.Fatalf("it was answered %d %s", a.status, a.code())
	}
	if a := post(strings.Replace(drifted, "11.5", "12", 1)); a.status != 200 || a.code() != "duplicate" {
		t.Errorf("the same at another time was answered %d %s", a.status, a.code())
	}
	if a := post(`{"id":"om-2","channel":7,"type":"Text"}`); a.status != 200 || a.code() != "parked" {
		t.Errorf("a violation was answered %d %s", a.status, a.code())
	}
	select {
	case d := <-arrived:
		if d.body != mended || d.drift != drift || d.contract != "int-1/om-1" {
			t.Errorf("it arrived as %+v", d)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it did not arrive")
	}

	out, stderr, code := command(t, "contract", "drift", "--json", "--address", s.Admin)
	var seen struct {
		Drift []struct {
			Hook, Pointer, Kind string
			Count               int
		}
	}
	if err := json.Unmarshal([]byte(out), &seen); code != 0 || err != nil || len(seen.Drift) != 3 || fmt.Sprint(seen.Drift[0]) != "{open-messaging /* unknown_member 2}" {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, stderr)
	}
	metrics := s.get("/metrics")
	if want := `hookgate_drift_total{hook="open-messaging",kind="renamed",pointer="/channel/from/nickname"} 2`; !strings.Contains(metrics, want) {
		t.Errorf("no %s", want)
	}
	for _, personal := range []string{"SECRETNICK", "SECRETNAME", "om-1"} {
		if strings.Contains(s.Log.String()+metrics+out, personal) {
			t.Errorf("%s is in the log, in the metrics or in the list", personal)
		}
	}
	eventually(t, 10*time.Second, "the drift is logged", func() bool { return strings.Contains(s.Log.String(), "no_zone") })
}
