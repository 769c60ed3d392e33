package provision

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/genesystest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds a text against a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, -want +got:\n%s", name, diff)
	}
}

const secret = "edge-secret-0123456789"

// hook is an edge that says what it was sent.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func newHook(t *testing.T) *hook {
	h := new(hook)
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		if _, err := io.Copy(&body, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("X-Edge-Token") != secret {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthorized"}`))
			return
		}
		h.mu.Lock()
		h.bodies = append(h.bodies, body.String())
		h.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"status":"accepted","event_id":"e"}`))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bodies
}

// cloud is a Genesys Cloud, and a client of it.
type cloud struct {
	*genesystest.Server
	client *genesys.Client
	hook   *hook
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	h := newHook(t)
	s := genesystest.Start(t, genesystest.Options{Outbound: h.Client(), Polls: 2})
	client, err := genesys.New(s.Options(genesystest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	client.Hide(secret)
	return &cloud{s, client, h}
}

// provisioner is one that does not wait long.
func provisioner(s genesys.Sender) *Provisioner {
	p := New(s)
	p.waits = waits{pause: time.Millisecond, limit: time.Minute}
	return p
}

func (c *cloud) provisioner() *Provisioner { return provisioner(c.client) }

func peActionMap(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Builtin("pe-action-map")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dataAction is one for the hook of the cloud.
func (c *cloud) dataAction(t *testing.T) DataAction {
	return DataAction{Name: "Hookgate", URL: c.hook.URL + "/pe", Secret: secret, Contract: peActionMap(t), Test: true}
}

func openMessaging() OpenMessaging {
	return OpenMessaging{Name: "Hookgate", URL: "https://hooks.example.com/om", Secret: secret, Headers: map[string]string{"X-Edge-Token": "header-secret"}}
}

// killer is a sender that breaks off at the nth call: before it, or after it was
// carried out and before its answer came.
type killer struct {
	genesys.Sender
	n     int
	after bool
}

var errKilled = errors.New("killed")

func (k *killer) Send(ctx context.Context, req *genesys.Request, out any) error {
	k.n--
	switch {
	case k.n > 0:
		return k.Sender.Send(ctx, req, out)
	case k.n == 0 && k.after:
		if err := k.Sender.Send(ctx, req, out); err != nil {
			return err
		}
	}
	return errKilled
}
