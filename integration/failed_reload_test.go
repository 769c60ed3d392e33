package integration

import (
	"net"
	"strings"
	"testing"
)

func TestAConfigThatFailsToStartDoesNotChangeTheRunningOne(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0") // by somebody who does not share it
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := site("\tgenesys_webhook " + hookPath + "\n\thandle /metrics {\n\t\tmetrics\n\t}")
	s := start(t, config)
	const bound = "hookgate_embedded_max_bytes 4.294967296e+09"
	if m := s.get("/metrics"); !strings.Contains(m, bound) {
		t.Fatalf("not the bound that is expected:\n%s", m)
	}
	failing := strings.Replace(config, "data_dir $DIR/data", "data_dir $DIR/data\n\t\tqueue embedded {\n\t\t\tmax_size 1MiB\n\t\t}", 1) +
		"http://:" + strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:") + " {\n\tbind 127.0.0.1\n\trespond 404\n}\n"
	for range 4 { // apps start in no order
		if err := s.Reload(failing); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Fatalf("the reload should have failed: %v", err)
		}
		if m := s.get("/metrics"); !strings.Contains(m, bound) {
			t.Error("a failed reload changed the bound")
		}
		if a := s.post(payload("after")); a.status >= 300 {
			t.Errorf("after a failed reload: %s", a.raw)
		}
	}
}
