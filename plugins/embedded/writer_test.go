package embedded

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// held returns a DB whose writer stops before each commit: it says so on the
// first channel and goes on at a value on the second.
func held(t *testing.T, opts Options) (*DB, <-chan struct{}, chan<- struct{}) {
	t.Helper()
	d := unstarted(t, opts)
	at, on := make(chan struct{}), make(chan struct{})
	d.commit = func(tx *bolt.Tx) error {
		at <- struct{}{}
		<-on
		return tx.Commit()
	}
	d.tick = time.Hour
	d.keepsFresh = true
	begin(t, d)
	return d, at, on
}

func acceptAsync(ctx context.Context, d *DB, id string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, _, err := d.Accept(ctx, claimOn(hook.EventKey("h", id), 1, 1), event(id), nil)
		done <- err
	}()
	return done
}

func waiting(t *testing.T, d *DB, n int) {
	t.Helper()
	eventually(t, "operations wait", func() bool { return len(d.ops) == n })
}

func TestAContextThatHasEndedTakesNothing(t *testing.T) {
	d := started(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := <-acceptAsync(ctx, d, "e"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s := d.Stats(); s.Operations != 0 || s.Keys != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAContextThatEndsBeforeTheBatchTakesNothing(t *testing.T) {
	d, at, on := held(t, Options{})
	first := acceptAsync(context.Background(), d, "first")
	<-at
	ctx, cancel := context.WithCancel(context.Background())
	second := acceptAsync(ctx, d, "second")
	waiting(t, d, 1)
	cancel()
	err := <-second
	if _, doubt := errors.AsType[*hook.InDoubt](err); doubt || !errors.Is(err, context.Canceled) {
		t.Errorf("%T %v", err, err)
	}
	on <- struct{}{}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	waiting(t, d, 0)
	third := acceptAsync(context.Background(), d, "third") // the writer has looked at the second by then
	<-at
	on <- struct{}{}
	if err := <-third; err != nil {
		t.Fatal(err)
	}
	if seen := ids(t, d, hook.StateReady); len(seen) != 2 || seen["second"] != 0 {
		t.Errorf("%v", seen)
	}
}

func TestAContextThatEndsDuringTheCommitIsInDoubt(t *testing.T) {
	d, at, on := held(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ev, cl := event("e"), claimOn("k", 1, 1)
	done := make(chan error, 1)
	go func() {
		_, _, err := d.Accept(ctx, cl, ev, nil)
		done <- err
	}()
	<-at
	cancel()
	err := <-done
	doubt, ok := errors.AsType[*hook.InDoubt](err)
	if !ok || doubt.Fate != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("%T %v", err, err)
	}
	body := string(ev.Body)
	clear(ev.Body) // it is the caller's again, though the commit is not through
	on <- struct{}{}

	s, _, err := d.Accept(context.Background(), claimOn("k", 2, 1), event("e"), nil)
	if s != hook.Committed || err != nil {
		t.Errorf("sent again: %v %v", s, err)
	}
	entries, err := d.Peek(t.Context(), hook.StateReady, 0, 10)
	if err != nil || len(entries) != 1 || string(entries[0].Event.Body) != body {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestAContextThatEndsDuringTheCommitOfAClaimIsInDoubt(t *testing.T) {
	for name, call := range map[string]func(context.Context, *DB) error{
		"claim":   func(ctx context.Context, d *DB) error { _, _, err := d.Claim(ctx, claimOn("k", 1, 1)); return err },
		"commit":  func(ctx context.Context, d *DB) error { return d.Commit(ctx, claimOn("k", 1, 1)) },
		"publish": func(ctx context.Context, d *DB) error { _, err := d.Publish(ctx, event("e")); return err },
		"park":    func(ctx context.Context, d *DB) error { _, err := d.Park(ctx, event("e"), hook.Fault{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			d, at, on := held(t, Options{})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- call(ctx, d) }()
			<-at
			cancel()
			if _, ok := errors.AsType[*hook.InDoubt](<-done); !ok {
				t.Error("not in doubt")
			}
			on <- struct{}{}
		})
	}
}

func TestOperationsOfOneBatchSeeEachOther(t *testing.T) {
	d, at, on := held(t, Options{})
	first := acceptAsync(context.Background(), d, "first")
	<-at
	var (
		wg     sync.WaitGroup
		states [3]hook.State
	)
	for i, call := range []func() (hook.State, hook.Fingerprint, error){
		func() (hook.State, hook.Fingerprint, error) { return d.Claim(context.Background(), claimOn("k", 1, 1)) },
		func() (hook.State, hook.Fingerprint, error) { return d.Claim(context.Background(), claimOn("k", 2, 2)) },
		func() (hook.State, hook.Fingerprint, error) {
			return d.Accept(context.Background(), claimOn("k", 1, 1), event("k"), nil)
		},
	} {
		wg.Go(func() {
			var err error
			if states[i], _, err = call(); err != nil {
				t.Error(err)
			}
		})
		waiting(t, d, i+1)
	}
	on <- struct{}{}
	<-at
	on <- struct{}{}
	wg.Wait()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if want := [3]hook.State{hook.Ours, hook.Pending, hook.Ours}; states != want {
		t.Errorf("%v, want %v", states, want)
	}
	if s := d.Stats(); s.Batches != 2 {
		t.Errorf("%d transactions, want 2", s.Batches)
	}
	intact(t, d)
}

func TestDuplicatesAreAnsweredWithoutATransaction(t *testing.T) {
	d := started(t, Options{})
	accepted(t, d, "e")
	for range 10 {
		if s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", "e"), 2, 1), event("e"), nil); s != hook.Committed || err != nil {
			t.Fatal(s, err)
		}
	}
	if s := d.Stats(); s.Batches != 1 {
		t.Errorf("%d transactions", s.Batches)
	}
}

func TestAnOperationThatFailsDoesNotFailItsNeighbours(t *testing.T) {
	d, at, on := held(t, Options{})
	first := acceptAsync(context.Background(), d, "first")
	<-at
	var neighbours []<-chan error
	broken := make(chan error, 1)
	errBroken := errors.New("broken")
	for i, id := range []string{"before", "", "after"} {
		if id != "" {
			neighbours = append(neighbours, acceptAsync(context.Background(), d, id))
		} else {
			o := d.newOp(func(b *batch, _ *op) error {
				half := claim{hash: hashKey("half"), ttl: time.Hour}
				return errors.Join(b.commit(&half, nil), errBroken)
			})
			go func() {
				_, err := d.do(context.Background(), o)
				broken <- err
			}()
		}
		waiting(t, d, i+1)
	}
	on <- struct{}{}
	for range neighbours { // each in a transaction of its own now
		<-at
		on <- struct{}{}
	}
	for _, done := range append(neighbours, first) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := <-broken; !errors.Is(err, errBroken) || !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("the broken one: %v", err)
	}
	if s := d.Stats(); s.Ready != 3 || s.Keys != 3 {
		t.Errorf("%+v", s)
	}
	if err := d.Ready(); err != nil {
		t.Error(err)
	}
	intact(t, d)
}

func TestCloseWritesWhatWaits(t *testing.T) {
	for range 8 { // the writer may see the close first, or what waits
		closeWritesWhatWaits(t)
	}
}

func closeWritesWhatWaits(t *testing.T) {
	t.Helper()
	path := tempFile(t)
	d, at, on := held(t, Options{Path: path})
	all := []<-chan error{acceptAsync(context.Background(), d, "first")}
	<-at
	for i, id := range []string{"a", "b", "c"} {
		all = append(all, acceptAsync(context.Background(), d, id))
		waiting(t, d, i+1)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := d.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a close that may not wait: %v", err)
	}
	if _, err := d.Publish(context.Background(), event("late")); !errors.Is(err, ErrClosed) || !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("something new: %v", err)
	}
	on <- struct{}{}
	<-at
	on <- struct{}{}
	for _, done := range all {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(context.Background()); err != nil {
		t.Error(err)
	}
	again := started(t, Options{Path: path})
	if seen := ids(t, again, hook.StateReady); len(seen) != 4 {
		t.Errorf("%v", seen)
	}
}

func TestWhatComesTooLateForTheWriterIsNotTaken(t *testing.T) {
	d := unstarted(t, Options{})
	d.phase.Store(phaseRunning) // and nobody writes
	done := acceptAsync(context.Background(), d, "e")
	waiting(t, d, 1)
	close(d.stopped)
	if err := <-done; !errors.Is(err, ErrClosed) || !errors.Is(err, hook.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAnOperationThatIsDoneAgainForgetsItsFirstOutcome(t *testing.T) {
	d, at, on := held(t, Options{})
	first := acceptAsync(context.Background(), d, "first")
	<-at
	runs := 0
	again := d.newOp(func(_ *batch, o *op) error {
		if runs++; runs == 1 {
			o.err, o.held = ErrFull, true
		}
		return nil
	})
	broken := d.newOp(func(*batch, *op) error { return errRecord })
	errs := [2]chan error{make(chan error, 1), make(chan error, 1)}
	for i, o := range []*op{again, broken} {
		go func() {
			_, err := d.do(context.Background(), o)
			errs[i] <- err
		}()
		waiting(t, d, i+1)
	}
	on <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-errs[0]; err != nil || again.held || runs != 2 {
		t.Errorf("%v, held %v, after %d runs", err, again.held, runs)
	}
	if err := <-errs[1]; !errors.Is(err, errRecord) {
		t.Error(err)
	}
}
