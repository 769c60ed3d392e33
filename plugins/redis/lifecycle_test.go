package redis

import (
	"context"
	"errors"
	"testing"

	"github.com/hookgate/hookgate/hook"
)

func TestNothingIsDialledBeforeStart(t *testing.T) {
	r := server(t)
	clients := r.Do("info", "stats")
	s, err := New(Options{Addrs: []string{r.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Claim(t.Context(), claimOn("k", 1, 1)); !errors.Is(err, ErrNotStarted) {
		t.Error(err)
	}
	if err := s.Commit(t.Context(), claimOn("k", 1, 1)); !errors.Is(err, ErrNotStarted) {
		t.Error(err)
	}
	if err := s.Ready(); !errors.Is(err, ErrNotStarted) {
		t.Error(err)
	}
	if st := s.Stats(); st != (Stats{}) {
		t.Errorf("%+v", st)
	}
	if a, b := line(clients, "total_connections_received"), line(r.Do("info", "stats"), "total_connections_received"); a != b {
		t.Errorf("%s connections, then %s", a, b)
	}
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Start(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	_ = s.Stats()
}

func line(info any, name string) string { return parseInfo(info.(string))[name] }

func TestAClosedStoreTakesNothing(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	if err := s.Start(); err != nil {
		t.Error("started again:", err)
	}
	mustClaim(t, s, claimOn("k", 1, 1), hook.Ours, 1)
	r.Suspend()
	waiting := make(chan error, 1)
	before := s.Stats().Batches
	go func() { _, _, err := s.Claim(context.Background(), claimOn("k", 1, 1)); waiting <- err }()
	eventually(t, "it is sent", func() bool { return s.Stats().Batches > before })
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	r.Resume()
	for name, call := range map[string]func() error{
		"claim":   func() error { _, _, err := s.Claim(t.Context(), claimOn("k", 1, 1)); return err },
		"renew":   func() error { _, err := s.Renew(t.Context(), claimOn("k", 1, 1)); return err },
		"release": func() error { return s.Release(t.Context(), claimOn("k", 1, 1)) },
		"commit":  func() error { return s.Commit(t.Context(), claimOn("k", 1, 1)) },
		"ready":   s.Ready,
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, "no connection is left", func() bool { return line(r.Do("info", "clients"), "connected_clients") == "1" })
	if n := s.Stats().Connections; n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestACloseWithoutTimeClosesAllTheSame(t *testing.T) {
	r := server(t)
	s := open(t, r.Addr)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	eventually(t, "no connection is left", func() bool { return line(r.Do("info", "clients"), "connected_clients") == "1" })
}
