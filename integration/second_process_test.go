package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hookgate/hookgate/integration/edge"
)

func TestASecondProcessTakesNoRequestFromTheFirst(t *testing.T) {
	config := site("\tgenesys_webhook " + hookPath)
	s := start(t, config)
	// Another admin API, or that one would be the first to be found taken.
	second := filepath.Join(t.TempDir(), "Caddyfile")
	other := strings.Replace(s.Expand(config), "admin "+s.Admin, "admin "+edge.FreeAddr(t), 1)
	if err := os.WriteFile(second, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		for i := 0; !done.Load(); i++ {
			a, err := probe("http", s.HTTP[strings.LastIndex(s.HTTP, ":")+1:], "", "localhost", hookPath)
			if err != nil || a.status >= 300 {
				t.Errorf("request %d to the first: %v %d %s", i, err, a.status, a.raw)
			}
		}
	}()
	for i := range 6 { // apps start in no order
		_, stderr, code := command(t, "run", "--config", second, "--adapter", "caddyfile")
		if code == 0 || !strings.Contains(stderr, "is in use by another process") {
			t.Errorf("run %d of the second: %d %s", i, code, stderr)
		}
		if strings.Contains(stderr, fmt.Sprintf(`"addr":%q`, s.HTTP)) { // said of each socket
			t.Errorf("run %d of the second listened", i)
		}
	}
	if _, stderr, code := command(t, "validate", "--config", second, "--adapter", "caddyfile"); code != 0 {
		t.Errorf("validate beside a running process: %d %s", code, stderr)
	}
	done.Store(true)
	<-posted
}
