package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/accept"
	"github.com/hookgate/hookgate/hook"
)

// openSpool opens a queue that nobody serves, with a spool in a folder.
func openSpool(t *testing.T, dir string, s *Spool) *spoolHandle {
	t.Helper()
	q := RabbitMQQueue{URLs: []string{"amqp://127.0.0.1:1"}, Spool: s}
	if err := q.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	_, h, err := q.OpenQueue(Env{DataDir: dir, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	return h.(*spoolHandle)
}

func TestTheSettingsOfASpoolAreNotThoseOfTheConnection(t *testing.T) {
	dir := t.TempDir()
	first := openSpool(t, dir, &Spool{Rate: 1})
	second := openSpool(t, dir, &Spool{Rate: 2, MaxSize: 1 << 20})
	if first.primary != second.primary {
		t.Error("there are two connections")
	}
	if first.file.file != second.file.file {
		t.Error("there are two files")
	}
	for _, h := range []*spoolHandle{first, second} {
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneConfigForwardsAtATime(t *testing.T) {
	dir := t.TempDir()
	forwards := func(h *spoolHandle) bool {
		h.file.turns.mu.Lock()
		defer h.file.turns.mu.Unlock()
		return h.file.turns.alone
	}
	first := openSpool(t, dir, new(Spool))
	if forwards(first) {
		t.Error("it forwards before its config runs")
	}
	first.Running()
	patiently(t, "it forwards", func() bool { return forwards(first) })

	failing := openSpool(t, dir, new(Spool)) // another app of its config does not start
	if err := failing.Release(); err != nil {
		t.Error(err)
	}
	second := openSpool(t, dir, new(Spool))
	second.Running()
	first.Stop()
	first.Stop() // may be called again
	patiently(t, "the next one forwards", func() bool { return forwards(second) })
	if err := first.Release(); err != nil {
		t.Error(err)
	}
	if !forwards(second) {
		t.Error("it does not go on")
	}
	late := openSpool(t, dir, new(Spool))
	late.Stop()
	late.Running() // it was stopped before it ran
	for _, h := range []*spoolHandle{second, late} {
		if err := h.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestRemarksSayWhatIsSpooledAndWhy(t *testing.T) {
	down, full := errors.New("rabbitmq: down"), fmt.Errorf("embedded store is full")
	for _, tc := range []struct {
		status SpoolStatus
		want   string
	}{
		{SpoolStatus{}, ""},
		{SpoolStatus{Primary: down, Events: 811, DeadLetters: 1, Oldest: 12 * time.Second, Bytes: 3 << 20, MaxBytes: 4 << 30}, "queue: rabbitmq: down, spooling: 812 events, oldest 12s, 3.0 MiB of 4.0 GiB used"},
		{SpoolStatus{Events: 5, Oldest: time.Minute}, "queue: forwarding what was spooled: 5 events, oldest 1m0s"},
		{SpoolStatus{Events: 5, Oldest: time.Minute, BacklogStats: accept.BacklogStats{PutOff: 2}}, "oldest 1m0s, 0 B of 0 B used, 2 of them were refused and are tried again"},
		{SpoolStatus{Local: full}, "spool: embedded store is full"},
	} {
		got := strings.Join(tc.status.remarks(), "; ")
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestASpoolRefusesSettingsThatMakeNoSense(t *testing.T) {
	for _, s := range []*Spool{{MaxSize: -1}, {Rate: -1}} {
		q := RabbitMQQueue{URLs: []string{"amqp://127.0.0.1:1"}, Spool: s}
		if err := q.Provision(caddy.Context{}); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// The dead letters and the counts of a queue with a spool are those of the queue.
func TestARuntimeLooksIntoTheQueueBehindItsSpool(t *testing.T) {
	h := openSpool(t, t.TempDir(), new(Spool))
	defer h.Release()
	rt := &Runtime{Queue: h.spool, spool: h}
	letters, ok := rt.Letters()
	if !ok || letters.(hook.Queue) != h.primary {
		t.Error("the letters are others")
	}
}
