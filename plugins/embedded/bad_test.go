package embedded

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

func writeError(err error) error { return &fs.PathError{Op: "write", Path: "/secret/place", Err: err} }

func TestACommitThatFailsIsFinal(t *testing.T) {
	for name, commit := range map[string]func(*bolt.Tx) error{
		"a write error":                          func(*bolt.Tx) error { return writeError(syscall.EIO) },
		"an fsync error":                         func(*bolt.Tx) error { return syscall.EIO },
		"an fsync without space":                 func(*bolt.Tx) error { return syscall.ENOSPC },
		"a sync of the file that found no space": func(*bolt.Tx) error { return &fs.PathError{Op: "sync", Path: "/secret/place", Err: syscall.ENOSPC} },
		"no space after the meta page":           func(tx *bolt.Tx) error { return errors.Join(tx.Commit(), writeError(syscall.ENOSPC)) },
		"a panic":                                func(*bolt.Tx) error { panic("page 7: unexpected") },
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.InfoLevel)
			d := unstarted(t, Options{Logger: zap.New(core)})
			var fail atomic.Bool
			at, on := make(chan struct{}, 10), make(chan struct{}, 10)
			d.commit = func(tx *bolt.Tx) error {
				if fail.Load() {
					return commit(tx)
				}
				at <- struct{}{}
				<-on
				return tx.Commit()
			}
			begin(t, d)
			first := acceptAsync(context.Background(), d, "first")
			<-at
			a, b := acceptAsync(context.Background(), d, "a"), acceptAsync(context.Background(), d, "b")
			waiting(t, d, 2)
			fail.Store(true)
			on <- struct{}{}
			if err := <-first; err != nil {
				t.Fatal(err)
			}
			for _, done := range []<-chan error{a, b} {
				doubt, ok := errors.AsType[*hook.InDoubt](<-done)
				if !ok || doubt.Fate != nil || !errors.Is(doubt, ErrBad) {
					t.Errorf("an operation of that batch: %v", doubt)
				}
			}
			fail.Store(false)
			err := <-acceptAsync(context.Background(), d, "later")
			if _, doubt := errors.AsType[*hook.InDoubt](err); doubt || !errors.Is(err, hook.ErrUnavailable) || !errors.Is(err, ErrBad) {
				t.Errorf("a later one: %v", err)
			}
			if err := d.Commit(t.Context(), claimOn("k", 1, 1)); !errors.Is(err, ErrBad) {
				t.Errorf("a later commit: %v", err)
			}
			if err := d.Ready(); !errors.Is(err, ErrBad) || strings.Contains(err.Error(), "secret") {
				t.Errorf("ready: %v", err)
			}
			if n := logs.FilterLevelExact(zap.ErrorLevel).Len(); n != 1 {
				t.Errorf("%d lines in the log: %v", n, logs.All())
			}
			if ids(t, d, hook.StateReady)["first"] != 1 {
				t.Error("what was there cannot be read")
			}
		})
	}
}

func TestAPanicOfAnOperationIsFinalAndKept(t *testing.T) {
	d := started(t, Options{})
	_, err := d.do(context.Background(), d.newOp(func(*batch, *op) error { panic("page 7: unexpected") }))
	if !errors.Is(err, hook.ErrUnavailable) {
		t.Error(err)
	}
	if err := d.Ready(); !errors.Is(err, ErrBad) {
		t.Error(err)
	}
}

func TestAFullDiskRefusesAndServesAgain(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	d := unstarted(t, Options{Logger: zap.New(core)})
	var full atomic.Bool
	d.tick = 5 * time.Millisecond
	d.commit = func(tx *bolt.Tx) error {
		if full.Load() {
			return errors.Join(tx.Rollback(), writeError(syscall.ENOSPC))
		}
		return tx.Commit()
	}
	begin(t, d)
	accepted(t, d, "e")
	full.Store(true)
	err := <-acceptAsync(context.Background(), d, "refused")
	if _, doubt := errors.AsType[*hook.InDoubt](err); doubt || !errors.Is(err, ErrFull) || !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if err := d.Ready(); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", "e"), 2, 1), event("e"), nil); s != hook.Committed || err != nil {
		t.Errorf("a duplicate: %v %v", s, err)
	}
	full.Store(false)
	eventually(t, "there is space again", func() bool { return d.Ready() == nil })
	accepted(t, d, "refused")
	if s := d.Stats(); s.Ready != 2 || s.Keys != 2 {
		t.Errorf("%+v", s)
	}
	var lines []string
	for _, l := range logs.All() {
		lines = append(lines, l.Level.String()+" "+l.Message)
	}
	if got := strings.Join(lines, "; "); got != "warn embedded store refuses new events; info embedded store has room again" {
		t.Error(got)
	}
	intact(t, d)
}

func TestADiskThatIsFullAtTheStartIsKnownBeforeAnEventComes(t *testing.T) {
	for name, lacks := range map[string]bool{"it has no space": true, "there are free pages in the file": false} {
		t.Run(name, func(t *testing.T) {
			d := unstarted(t, Options{})
			var full atomic.Bool
			full.Store(lacks)
			var probes atomic.Int32
			d.tick = 5 * time.Millisecond
			d.tight = func(string) bool { return true }
			d.commit = func(tx *bolt.Tx) error {
				probes.Add(1)
				if full.Load() {
					return errors.Join(tx.Rollback(), writeError(syscall.ENOSPC))
				}
				return tx.Commit()
			}
			begin(t, d)
			eventually(t, "it is known", func() bool { return probes.Load() > 0 && errors.Is(d.Ready(), ErrFull) == lacks })
			full.Store(false)
			eventually(t, "it is ready", func() bool { return d.Ready() == nil })
			accepted(t, d, "e")
			intact(t, d)
		})
	}
}

func TestWhatSettlesIsDoneWhenWhatIsNewFindsNoSpace(t *testing.T) {
	d := unstarted(t, Options{})
	at, on := make(chan struct{}), make(chan error)
	d.commit = func(tx *bolt.Tx) error {
		at <- struct{}{}
		if err := <-on; err != nil {
			return errors.Join(tx.Rollback(), err)
		}
		return tx.Commit()
	}
	d.tick = time.Hour
	begin(t, d)
	cl := claimOn("k", 1, 1)
	claimed := make(chan error, 1)
	go func() { _, _, err := d.Claim(context.Background(), cl); claimed <- err }()
	<-at
	fresh := acceptAsync(context.Background(), d, "new")
	waiting(t, d, 1)
	released := make(chan error, 1)
	go func() { released <- d.Release(context.Background(), cl) }()
	waiting(t, d, 2)
	on <- nil
	<-at
	on <- writeError(syscall.ENOSPC)
	<-at
	on <- nil
	if err := <-claimed; err != nil {
		t.Error(err)
	}
	if err := <-released; err != nil {
		t.Errorf("release: %v", err)
	}
	if err := <-fresh; !errors.Is(err, ErrFull) || !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("the new one: %v", err)
	}
	if s := d.Stats(); s.Keys != 0 || s.Ready != 0 {
		t.Errorf("%+v", s)
	}
	intact(t, d)
}

func TestAFileThatMayNotGrowRefusesAndServesAgain(t *testing.T) {
	d := unstarted(t, Options{})
	d.tick = 5 * time.Millisecond
	begin(t, d)
	accepted(t, d, "e")
	d.ceiling.Store(d.Stats().FileBytes) // bbolt's own limit: it grows in steps beyond it
	large := event("large")
	large.Body = make([]byte, 40<<20)
	_, err := d.Publish(t.Context(), large)
	if _, doubt := errors.AsType[*hook.InDoubt](err); doubt || !errors.Is(err, ErrFull) || !errors.Is(err, hook.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
	intact(t, d)
	d.SetMaxSize(1 << 30)
	eventually(t, "it may grow again", func() bool { return d.Ready() == nil })
	if _, err := d.Publish(t.Context(), large); err != nil {
		t.Error(err)
	}
	if s := d.Stats(); s.Ready != 2 {
		t.Errorf("%+v", s)
	}
	intact(t, d)
}

func TestAFileThatIsCutWhileOpenIsAnErrorAndNoCrash(t *testing.T) {
	d := started(t, Options{})
	large := event("large")
	large.Body = make([]byte, 1<<20)
	if _, err := d.Publish(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.path, int64(os.Getpagesize())*2); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Peek(t.Context(), hook.StateReady, 0, 1); err == nil {
		t.Error("peek: no error")
	}
	if err := <-acceptAsync(context.Background(), d, "e"); err == nil {
		t.Error("accept: no error")
	}
	if err := d.Ready(); !errors.Is(err, ErrBad) {
		t.Error(err)
	}
}
