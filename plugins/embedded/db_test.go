package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/hookgate/hookgate/hook"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// open returns a running DB, in a folder of its own unless a path is given.
func open(t testing.TB, opts Options) *DB {
	t.Helper()
	if opts.Path == "" {
		opts.Path = filepath.Join(t.TempDir(), "sub", "hookgate.db")
	}
	db, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, db) })
	return db
}

func shut(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// clock is a time that a test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time      { return time.Unix(0, c.ns.Load()) }
func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }

func fingerprint(s string) hook.Fingerprint {
	var fp hook.Fingerprint
	copy(fp[:], s)
	return fp
}

func accept(t *testing.T, db *DB, c hook.Claim, id string) (hook.State, hook.Fingerprint) {
	t.Helper()
	s, fp, err := db.Accept(t.Context(), c, event(id, []byte(`{}`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, fp
}

func take(t *testing.T, db *DB, c hook.Claim) hook.State {
	t.Helper()
	s, _, err := db.Claim(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAClaimGoesThroughItsStates(t *testing.T) {
	clock := newClock()
	db := open(t, Options{Now: clock.now})
	mine, other := claim("a", fingerprint("1")), claim("a", fingerprint("2"))

	if s := take(t, db, mine); s != hook.Ours {
		t.Errorf("a free key: %s", s)
	}
	if s := take(t, db, mine); s != hook.Ours {
		t.Errorf("the same token again: %s", s)
	}
	if s := take(t, db, other); s != hook.Pending {
		t.Errorf("another token: %s", s)
	}
	if err := db.Release(t.Context(), other); err != nil || take(t, db, other) != hook.Pending {
		t.Errorf("another's release freed the key: %v", err)
	}
	if held, err := db.Renew(t.Context(), other); held || err != nil {
		t.Errorf("another's renewal: %v %v", held, err)
	}
	clock.add(1500 * time.Millisecond)
	if held, err := db.Renew(t.Context(), mine); !held || err != nil {
		t.Errorf("my renewal: %v %v", held, err)
	}
	clock.add(1500 * time.Millisecond)
	if s := take(t, db, other); s != hook.Pending {
		t.Errorf("within the renewed lease: %s", s)
	}
	clock.add(time.Second)
	if held, _ := db.Renew(t.Context(), mine); held {
		t.Error("a lease that has run out was renewed")
	}
	if s := take(t, db, other); s != hook.Ours {
		t.Errorf("after the lease: %s", s)
	}
	if err := db.Release(t.Context(), other); err != nil || take(t, db, mine) != hook.Ours {
		t.Errorf("my release did not free the key: %v", err)
	}
	if err := db.Commit(t.Context(), other); err != nil { // whoever holds it
		t.Error(err)
	}
	s, fp, err := db.Claim(t.Context(), mine)
	if s != hook.Committed || fp != other.Fingerprint || err != nil {
		t.Errorf("a committed key: %s %s %v", s, fp, err)
	}
	if err := db.Release(t.Context(), other); err != nil || take(t, db, mine) != hook.Committed {
		t.Errorf("a release freed a committed key: %v", err)
	}
	clock.add(48*time.Hour + time.Second)
	if s := take(t, db, mine); s != hook.Ours {
		t.Errorf("after its time: %s", s)
	}
}

func TestAnEventIsAcceptedOnce(t *testing.T) {
	clock := newClock()
	db := open(t, Options{Now: clock.now})
	first, again, changed := claim("a", fingerprint("1")), claim("a", fingerprint("1")), claim("a", fingerprint("2"))

	if s, _ := accept(t, db, first, "a"); s != hook.Ours {
		t.Errorf("first: %s", s)
	}
	for _, c := range []hook.Claim{first, again, changed} {
		if s, fp := accept(t, db, c, "a"); s != hook.Committed || fp != first.Fingerprint {
			t.Errorf("again: %s %s", s, fp)
		}
	}
	held := claim("b", fingerprint("1"))
	take(t, db, held)
	if s, _ := accept(t, db, claim("b", fingerprint("1")), "b"); s != hook.Pending {
		t.Errorf("under another's claim: %s", s)
	}
	if s, _ := accept(t, db, held, "b"); s != hook.Ours {
		t.Errorf("under my own claim: %s", s)
	}
	if got, _ := db.Counts(t.Context()); got != (hook.Counts{Ready: 2}) {
		t.Errorf("counts are %+v", got)
	}
}

func TestManyAtOnceAreOne(t *testing.T) {
	db := open(t, Options{})
	var ours, committed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			switch s, _ := accept(t, db, claim("same", fingerprint("1")), "same"); s {
			case hook.Ours:
				ours.Add(1)
			case hook.Committed:
				committed.Add(1)
			}
		})
	}
	wg.Wait()
	if ours.Load() != 1 || committed.Load() != 63 {
		t.Errorf("%d ours, %d committed", ours.Load(), committed.Load())
	}
}

func TestWhatWasAcceptedIsThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hookgate.db")
	db := open(t, Options{Path: path})
	ev := event("kept", []byte("{\"a\": 1}\n"))
	ev.Header = map[string]string{hook.HeaderTraceparent: "00-1"}
	fault := hook.Fault{
		Kind: hook.KindInvalid, Message: "m", Violations: []hook.Violation{{Pointer: "/a", Code: "type"}},
		Time: time.Unix(1, 2).UTC(), First: time.Unix(3, 4).UTC(),
	}
	if _, _, err := db.Accept(t.Context(), claim("kept", fingerprint("1")), ev, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Accept(t.Context(), claim("park", fingerprint("1")), ev, &fault); err != nil {
		t.Fatal(err)
	}
	shut(t, db)

	db = open(t, Options{Path: path})
	if s, _ := accept(t, db, claim("kept", fingerprint("1")), "kept"); s != hook.Committed {
		t.Errorf("after the restart: %s", s)
	}
	if got := db.Stats(); got.Ready != 1 || got.Dead != 1 || got.Keys != 2 {
		t.Errorf("stats are %+v", got)
	}
	ready, err := db.Peek(t.Context(), hook.StateReady, 0, 10)
	if err != nil || len(ready) != 1 {
		t.Fatal(ready, err)
	}
	ev.ReceivedAt = ev.ReceivedAt.UTC().Round(0)
	if diff := cmp.Diff(ev, ready[0].Event, cmp.Comparer(sameTime), cmp.Comparer(sameAddr)); diff != "" {
		t.Error(diff)
	}
	dead, err := db.Peek(t.Context(), hook.StateDead, 0, 10)
	if err != nil || len(dead) != 1 {
		t.Fatal(dead, err)
	}
	if diff := cmp.Diff(&fault, dead[0].Fault); diff != "" {
		t.Error(diff)
	}
}

func sameAddr(a, b netip.Addr) bool { return a == b }

func sameTime(a, b time.Time) bool { return a.Equal(b) }

func TestPeekGoesOnWhereItStopped(t *testing.T) {
	db := open(t, Options{})
	for i := range 5 {
		id := fmt.Sprint(i)
		accept(t, db, claim(id, fingerprint("1")), id)
	}
	var got []string
	for after := uint64(0); ; {
		page, err := db.Peek(t.Context(), hook.StateReady, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.Event.ID)
		}
		after = page[len(page)-1].Seq
	}
	if strings.Join(got, "") != "01234" {
		t.Errorf("got %v", got)
	}
}

func TestATimeThatIsOverTakesNothing(t *testing.T) {
	db := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := db.Accept(ctx, claim("late", fingerprint("1")), event("late", nil), nil)
	if !errors.Is(err, context.Canceled) || isInDoubt(err) {
		t.Errorf("got %v", err)
	}
	if got := db.Stats(); got.Ready != 0 || got.Keys != 0 {
		t.Errorf("something was taken: %+v", got)
	}
}

func isInDoubt(err error) bool {
	_, ok := errors.AsType[*hook.InDoubt](err)
	return ok
}

// block makes the writer wait in its next commit until release is called.
func block(db *DB) (reached <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	var once sync.Once
	db.commit = func(tx *bbolt.Tx) error {
		once.Do(func() { close(in) })
		<-out
		return tx.Commit()
	}
	return in, func() { close(out) }
}

func TestATimeThatEndsInTheMiddleIsInDoubtAndLeavesLaterOnesUndone(t *testing.T) {
	db := mustNew(t)
	reached, release := block(db)
	if err := db.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, db) })

	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 2)
	go func() {
		_, _, err := db.Accept(ctx, claim("taken", fingerprint("1")), event("taken", nil), nil)
		results <- err
	}()
	<-reached
	go func() { // waits behind the transaction that is blocked
		_, _, err := db.Accept(ctx, claim("behind", fingerprint("1")), event("behind", nil), nil)
		results <- err
	}()
	poll(t, "the second waits", func() bool { return len(db.ops) == 1 })
	cancel()
	doubts := 0
	for range 2 {
		if err := <-results; isInDoubt(err) {
			doubts++
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if doubts != 1 {
		t.Errorf("%d in doubt, want 1", doubts)
	}
	release()
	if s, _ := accept(t, db, claim("taken", fingerprint("1")), "taken"); s != hook.Committed {
		t.Errorf("the one that was taken: %s", s)
	}
	if s, _ := accept(t, db, claim("behind", fingerprint("1")), "behind"); s != hook.Ours {
		t.Errorf("the one that was not: %s", s)
	}
}

func mustNew(t *testing.T) *DB {
	t.Helper()
	db, err := New(Options{Path: filepath.Join(t.TempDir(), "hookgate.db")})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func poll(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}

func TestAFailedWriteIsFinal(t *testing.T) {
	db := mustNew(t)
	db.commit = func(tx *bbolt.Tx) error { return errors.New("input/output error") }
	if err := db.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, db) })
	_, _, err := db.Accept(t.Context(), claim("a", fingerprint("1")), event("a", nil), nil)
	if !isInDoubt(err) {
		t.Errorf("the one that was written: %v", err)
	}
	_, _, err = db.Accept(t.Context(), claim("b", fingerprint("1")), event("b", nil), nil)
	if !errors.Is(err, hook.ErrUnavailable) || isInDoubt(err) {
		t.Errorf("the next one: %v", err)
	}
	if err := db.Ready(); err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("Ready: %v", err)
	}
}

func TestAFullStoreTakesNothingNewAndServesAgain(t *testing.T) {
	clock := newClock()
	db := open(t, Options{MaxSize: 1 << 20, Now: clock.now})
	var kept []hook.Claim
	var full error
	for i := 0; full == nil && i < 100_000; i++ {
		c := claim(fmt.Sprint(i), fingerprint("1"))
		if _, _, full = db.Claim(t.Context(), c); full == nil {
			kept = append(kept, c)
		}
	}
	if !errors.Is(full, hook.ErrUnavailable) || db.Ready() == nil {
		t.Fatalf("never full: %v, Ready %v", full, db.Ready())
	}
	if _, err := db.Publish(t.Context(), event("x", nil)); !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("Publish: %v", err)
	}
	if _, _, err := db.Accept(t.Context(), claim("x", fingerprint("1")), event("x", nil), nil); !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("Accept: %v", err)
	}
	if err := db.Commit(t.Context(), kept[0]); err != nil {
		t.Errorf("settling goes on: %v", err)
	}
	if s, _ := accept(t, db, kept[0], "0"); s != hook.Committed {
		t.Errorf("what is there is known: %s", s)
	}

	db.SetMaxSize(8 << 20)
	if s, _ := accept(t, db, claim("more", fingerprint("1")), "more"); s != hook.Ours || db.Ready() != nil {
		t.Errorf("with a larger bound: %s, %v", s, db.Ready())
	}
	db.SetMaxSize(1 << 20)
	clock.add(3 * time.Second) // the leases have run out; the keys are removed bit by bit
	poll(t, "there is room again", func() bool {
		_, _, err := db.Claim(t.Context(), claim("room", fingerprint("1")))
		return err == nil
	})
}

func TestExpiredKeysAreRemoved(t *testing.T) {
	clock := newClock()
	db := open(t, Options{Now: clock.now})
	for i := range 1000 {
		take(t, db, claim(fmt.Sprint(i), fingerprint("1")))
	}
	clock.add(time.Hour)
	poll(t, "the keys are gone", func() bool { return db.Stats().Keys == 0 })
}

func TestAFileIsOpenOnce(t *testing.T) {
	db := open(t, Options{})
	if err := db.Start(); err != nil {
		t.Errorf("Start again: %v", err)
	}
	second, err := New(Options{Path: db.path})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second one: %v", err)
	}
}

func TestWhatCannotBeOpenedIsSaid(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("not a database, and long enough to be read as one: "+strings.Repeat("x", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"folder": filepath.Join(file, "x.db"), "content": file} {
		db, err := New(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Start(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := db.Publish(t.Context(), event("x", nil)); !errors.Is(err, hook.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		shut(t, db)
	}
}

func TestCloseWritesWhatWasTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hookgate.db")
	db := open(t, Options{Path: path})
	var wg sync.WaitGroup
	var acked sync.Map
	for i := range 200 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			if s, _, err := db.Accept(context.Background(), claim(id, fingerprint("1")), event(id, nil), nil); err == nil && s == hook.Ours {
				acked.Store(id, true)
			}
		})
	}
	poll(t, "some are taken", func() bool { return db.Stats().Ready > 0 })
	shut(t, db)
	wg.Wait()
	if _, err := db.Publish(t.Context(), event("x", nil)); !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	db = open(t, Options{Path: path})
	acked.Range(func(id, _ any) bool {
		if s, _ := accept(t, db, claim(id.(string), fingerprint("1")), id.(string)); s != hook.Committed {
			t.Errorf("%s is lost: %s", id, s)
		}
		return true
	})
}
