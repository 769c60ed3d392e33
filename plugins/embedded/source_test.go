package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// received returns the next event, which must be there.
func received(t testing.TB, d *DB) hook.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dl, err := d.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return dl
}

// nothing checks that there is no event to be had. Only a wait can show it.
func nothing(t testing.TB, d *DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	if dl, err := d.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("there is an event: %v %v", dl, err)
	}
}

// receiving asks for an event in the background.
func receiving(ctx context.Context, d *DB) (<-chan hook.Delivery, <-chan error) {
	got, errs := make(chan hook.Delivery, 1), make(chan error, 1)
	go func() {
		if dl, err := d.Receive(ctx); err != nil {
			errs <- err
		} else {
			got <- dl
		}
	}()
	return got, errs
}

func askers(t testing.TB, d *DB, n int) {
	t.Helper()
	eventually(t, "they ask", func() bool {
		d.desk.mu.Lock()
		defer d.desk.mu.Unlock()
		return len(d.desk.waiters) == n
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// crashable returns a DB that can end as if its process were killed.
func crashable(t testing.TB, opts Options) (d *DB, crash func()) {
	t.Helper()
	d = unstarted(t, opts)
	var crashed atomic.Bool
	d.commit = func(tx *bolt.Tx) error {
		if crashed.Load() {
			return errors.Join(tx.Rollback(), syscall.EIO)
		}
		return tx.Commit()
	}
	begin(t, d)
	return d, func() {
		crashed.Store(true)
		must(t, d.Close(context.Background()))
	}
}

// again opens the file of a DB that is closed.
func again(t testing.TB, d *DB) *DB {
	t.Helper()
	return started(t, Options{Path: d.path, Now: d.now})
}

func published(t testing.TB, d *DB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := d.Publish(t.Context(), event(id))
		must(t, err)
	}
}

func (c counts) of(d *DB) bool {
	s := d.Stats()
	return c == counts{ready: int64(s.Ready), dead: int64(s.Dead), later: int64(s.Due)}
}

func TestEventsAreHandedOutTheOldestFirst(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b", "c")
	for _, want := range []string{"a", "b", "c"} {
		dl := received(t, d)
		if dl.Event().ID != want || dl.Redeliveries() != 0 {
			t.Errorf("%s, redelivered %d times, want %s", dl.Event().ID, dl.Redeliveries(), want)
		}
		must(t, dl.Done(t.Context()))
	}
	nothing(t, d)
	if s := d.Stats(); s.Ready != 0 || s.InWork != 0 {
		t.Errorf("%+v", s)
	}
	intact(t, d)
}

func TestAnEventIsHandedOutAsItWasAccepted(t *testing.T) {
	d := started(t, Options{})
	want := fullEvent()
	_, _, err := d.Accept(t.Context(), claimOn("k", 1, 1), want, nil)
	must(t, err)
	if diff := cmp.Diff(fullEvent(), received(t, d).Event(), compareAddr); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventThatArrivesWakesWhoWaits(t *testing.T) {
	d := started(t, Options{})
	d.Prefetch(2)
	first, _ := receiving(t.Context(), d)
	askers(t, d, 1)
	second, _ := receiving(t.Context(), d)
	askers(t, d, 2)
	published(t, d, "a")
	if dl := <-first; dl.Event().ID != "a" {
		t.Error(dl.Event().ID)
	}
	published(t, d, "b")
	if dl := <-second; dl.Event().ID != "b" {
		t.Error(dl.Event().ID)
	}
	if s := d.Stats(); s.Batches != 2 {
		t.Errorf("%d transactions: an event is to be accepted and taken in one", s.Batches)
	}
}

func TestPrefetchBoundsWhatIsHandedOut(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b", "c", "d", "e")
	first := received(t, d)
	nothing(t, d) // 1, when nobody said otherwise
	d.Prefetch(3)
	second, third := received(t, d), received(t, d)
	nothing(t, d)
	must(t, first.Done(t.Context()))
	fourth := received(t, d)
	d.Prefetch(-1)
	must(t, second.Done(t.Context()))
	must(t, third.Return(t.Context()))
	nothing(t, d)
	got, _ := receiving(t.Context(), d)
	askers(t, d, 1)
	must(t, fourth.Done(t.Context()))
	if dl := <-got; dl.Event().ID != "c" || dl.Redeliveries() != 0 {
		t.Errorf("%s, redelivered %d times", dl.Event().ID, dl.Redeliveries())
	}
	intact(t, d)
}

func TestWhatWasTakenAheadGoesBackWhenPrefetchIsLowered(t *testing.T) {
	d, crash := crashable(t, Options{})
	published(t, d, "a", "b", "c", "d")
	d.Prefetch(4)
	received(t, d)
	if s := d.Stats(); s.InWork != 4 || s.Ready != 0 {
		t.Fatalf("%+v", s)
	}
	d.Prefetch(2)
	eventually(t, "two are back", func() bool { s := d.Stats(); return s.InWork == 2 && s.Ready == 2 })
	crash()
	d = again(t, d)
	d.Prefetch(4)
	for _, want := range []int{1, 1, 0, 0} {
		if dl := received(t, d); dl.Redeliveries() != want {
			t.Errorf("%s was redelivered %d times, want %d", dl.Event().ID, dl.Redeliveries(), want)
		}
	}
}

func TestWhatNobodyAsksForGoesBackAfterAMinute(t *testing.T) {
	c := newClock()
	d := unstarted(t, Options{Now: c.now})
	d.tick = time.Millisecond
	begin(t, d)
	published(t, d, "a", "b")
	d.Prefetch(2)
	dl := received(t, d)
	c.advance(time.Minute - 1*time.Millisecond)
	if s := d.Stats(); s.InWork != 2 {
		t.Errorf("%+v", s)
	}
	c.advance(time.Millisecond)
	eventually(t, "one is back", func() bool { s := d.Stats(); return s.InWork == 1 && s.Ready == 1 })
	must(t, dl.Done(t.Context()))
	if dl := received(t, d); dl.Redeliveries() != 0 {
		t.Errorf("%d redeliveries", dl.Redeliveries())
	}
}

func TestAReceiveEndsWithItsContextOrItsStore(t *testing.T) {
	d := started(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	_, errs := receiving(ctx, d)
	askers(t, d, 1)
	cancel()
	if err := <-errs; err != context.Canceled {
		t.Error(err)
	}
	if _, err := d.Receive(ctx); err != context.Canceled {
		t.Error(err)
	}
	askers(t, d, 0)

	_, errs = receiving(context.Background(), d)
	askers(t, d, 1)
	must(t, d.Close(t.Context()))
	if err := <-errs; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := d.Receive(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := unstarted(t, Options{}).Receive(t.Context()); !errors.Is(err, ErrNotStarted) {
		t.Error(err)
	}

	d, _ = crashable(t, Options{})
	_, errs = receiving(context.Background(), d)
	askers(t, d, 1)
	d.markBad(errors.New("broken"))
	if err := <-errs; !errors.Is(err, ErrBad) {
		t.Error(err)
	}
}

func TestAnEventThatIsDueLaterIsHandedOutThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := started(t, Options{})
		defer stop(t, d)
		published(t, d, "a")
		must(t, received(t, d).Later(t.Context(), 30*time.Second, nil))
		published(t, d, "b")
		must(t, received(t, d).Later(t.Context(), 5*time.Second, nil))
		if s := d.Stats(); s.Due != 2 || s.Ready != 0 || s.InWork != 0 {
			t.Errorf("%+v", s)
		}
		begin := time.Now()
		for _, want := range []struct {
			id    string
			after time.Duration
		}{{"b", 5 * time.Second}, {"a", 30 * time.Second}} {
			dl, err := d.Receive(t.Context())
			must(t, err)
			took := time.Since(begin)
			if dl.Event().ID != want.id || took < want.after || took > want.after+2*time.Millisecond {
				t.Errorf("%s after %s, want %s after %s", dl.Event().ID, took, want.id, want.after)
			}
			if dl.Event().Attempt != 0 || dl.Redeliveries() != 0 {
				t.Errorf("%s: attempt %d, redelivered %d times", want.id, dl.Event().Attempt, dl.Redeliveries())
			}
			must(t, dl.Done(t.Context()))
		}
		intact(t, d)
	})
}

func TestWhatIsDueAgainHasKeptItsPlace(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	published(t, d, "a", "b", "c")
	must(t, received(t, d).Later(t.Context(), time.Second, nil))
	must(t, received(t, d).Later(t.Context(), 0, nil))
	if got := received(t, d); got.Event().ID != "b" {
		t.Errorf("due at once: %s", got.Event().ID)
	} else {
		must(t, got.Return(t.Context()))
	}
	c.advance(time.Second)
	published(t, d, "d")
	for _, want := range []string{"a", "b", "c", "d"} {
		dl := received(t, d)
		if dl.Event().ID != want {
			t.Errorf("%s, want %s", dl.Event().ID, want)
		}
		must(t, dl.Done(t.Context()))
	}
}

func TestManyThatAreDueAtOnceAllComeBack(t *testing.T) {
	const n = 3*maxMoved + 7
	c := newClock()
	d := started(t, Options{Now: c.now})
	for i := range n {
		d.ops <- eventOp(t, d, fmt.Sprint(i))
	}
	eventually(t, "all are there", func() bool { return d.Stats().Ready == n })
	d.Prefetch(n)
	for range n {
		dl := received(t, d).(*delivery)
		o := d.newOp((*batch).tryLater)
		o.ref, o.due = dl.ref, millis(c.now().Add(time.Minute))
		o.env = append(o.env, dl.env...)
		d.ops <- o
	}
	eventually(t, "all are due", func() bool { return d.Stats().Due == n })
	d.Prefetch(1)
	c.advance(time.Minute)
	for range n {
		must(t, received(t, d).Done(t.Context()))
	}
	if s := d.Stats(); s.Ready+s.Due+s.InWork != 0 {
		t.Errorf("%+v", s)
	}
	intact(t, d)
}

func eventOp(t testing.TB, d *DB, id string) *op {
	t.Helper()
	o, err := d.newEventOp((*batch).publish, event(id), nil)
	must(t, err)
	return o
}

func TestLaterAndDeadKeepWhatIsKnownOfTheFaults(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	published(t, d, "a")
	first := c.now().UTC()
	for n := 1; n <= 3; n++ {
		dl := received(t, d)
		if dl.Event().Attempt != n-1 {
			t.Errorf("attempt %d, want %d", dl.Event().Attempt, n-1)
		}
		known := dl.(hook.Failed).FirstFault()
		if n == 1 && !known.IsZero() || n > 1 && !known.Equal(first) {
			t.Errorf("it failed first at %s", known)
		}
		dl.Event().Body, dl.Event().Attempt = nil, 99 // what a handler does to it does not matter
		must(t, dl.Later(t.Context(), 0, &hook.Fault{Kind: hook.KindTransient, Message: fmt.Sprint("fault ", n), Time: c.now()}))
		c.advance(time.Minute)
	}
	entries, err := d.Peek(t.Context(), hook.StateReady, 0, 2)
	must(t, err)
	want := hook.Entry{Seq: 1, At: first, Event: event("a"), Fault: &hook.Fault{
		Kind: hook.KindTransient, Message: "fault 3", Attempt: 3, Time: first.Add(2 * time.Minute), First: first,
	}}
	want.Event.Attempt = 3
	if diff := cmp.Diff([]hook.Entry{want}, entries, compareAddr); diff != "" {
		t.Error(diff)
	}
	must(t, received(t, d).Later(t.Context(), 0, nil))
	must(t, received(t, d).Dead(t.Context(), hook.Fault{Kind: hook.KindExhausted, Message: "gone", Attempt: 4}))
	entries, err = d.Peek(t.Context(), hook.StateDead, 0, 2)
	must(t, err)
	want.At, want.Fault = c.now().UTC(), &hook.Fault{
		Kind: hook.KindExhausted, Message: "gone", Attempt: 4, Time: c.now().UTC(), First: first,
	}
	want.Event.Attempt = 4
	if diff := cmp.Diff([]hook.Entry{want}, entries, compareAddr); diff != "" {
		t.Error(diff)
	}
	if !(counts{dead: 1}).of(d) {
		t.Errorf("%+v", d.Stats())
	}
	intact(t, d)
}

func TestADeliveryIsSettledOnce(t *testing.T) {
	d := started(t, Options{})
	settles := map[string]func(hook.Delivery) error{
		"done":        func(dl hook.Delivery) error { return dl.Done(context.Background()) },
		"later":       func(dl hook.Delivery) error { return dl.Later(context.Background(), time.Hour, nil) },
		"later, now":  func(dl hook.Delivery) error { return dl.Later(context.Background(), -1, nil) },
		"dead":        func(dl hook.Delivery) error { return dl.Dead(context.Background(), hook.Fault{}) },
		"handed back": func(dl hook.Delivery) error { return dl.Return(context.Background()) },
	}
	for first, settle := range settles {
		published(t, d, first)
		dl := received(t, d)
		if err := settle(dl); err != nil {
			t.Errorf("%s: %v", first, err)
		}
		for second, settle := range settles {
			if err := settle(dl); !errors.Is(err, ErrSettled) {
				t.Errorf("%s after %s: %v", second, first, err)
			}
		}
		if s := d.Stats(); s.InWork != 0 {
			t.Errorf("%s: %+v", first, s)
		}
		for d.Stats().Ready > 0 {
			must(t, received(t, d).Done(t.Context()))
		}
	}
	if !(counts{dead: 1, later: 1}).of(d) {
		t.Errorf("%+v", d.Stats())
	}
	intact(t, d)
}

func TestADeliveryThatCannotBeSettledCanStillBe(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a")
	dl := received(t, d)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, err := range map[string]error{
		"done":  dl.Done(ended),
		"later": dl.Later(ended, 0, nil),
		"dead":  dl.Dead(ended, hook.Fault{}),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := dl.Dead(t.Context(), hook.Fault{Status: -1}); err == nil {
		t.Error("a fault that cannot be kept: no error")
	}
	must(t, dl.Return(ended)) // is done all the same
	dl = received(t, d)
	if dl.Redeliveries() != 0 {
		t.Errorf("%d redeliveries", dl.Redeliveries())
	}
	must(t, dl.Done(t.Context()))
	intact(t, d)
}

func TestASettlementInDoubtIsResolvedByReturn(t *testing.T) {
	for name, lands := range map[string]bool{"it takes effect": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			d := unstarted(t, Options{})
			at, on := make(chan struct{}), make(chan bool)
			d.commit = func(tx *bolt.Tx) error {
				at <- struct{}{}
				if !<-on {
					return errors.Join(tx.Rollback(), writeError(syscall.ENOSPC))
				}
				return tx.Commit()
			}
			d.tick = time.Hour
			begin(t, d)
			go func() { // publish, take
				for range 2 {
					<-at
					on <- true
				}
			}()
			published(t, d, "a")
			dl := received(t, d)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- dl.Done(ctx) }()
			<-at
			cancel()
			if _, ok := errors.AsType[*hook.InDoubt](<-done); !ok {
				t.Error("not in doubt")
			}
			go func() { done <- dl.Return(context.Background()) }()
			waiting(t, d, 1)
			on <- lands
			if !lands {
				<-at
				on <- false // in the space that there is
				<-at
				on <- true // the return
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if want := map[bool]int{true: 0, false: 1}[lands]; d.Stats().Ready != want || d.Stats().InWork != 0 {
				t.Errorf("%+v", d.Stats())
			}
		})
	}
}

func TestADeliveryThatIsDroppedIsHandedOutAgain(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a")
	func() {
		if dl := received(t, d); dl.Redeliveries() != 0 {
			t.Errorf("%d redeliveries", dl.Redeliveries())
		}
	}()
	got, _ := receiving(t.Context(), d)
	askers(t, d, 1)
	eventually(t, "it is handed out again", func() bool { runtime.GC(); return len(got) == 1 })
	dl := <-got
	if dl.Redeliveries() != 1 {
		t.Errorf("%d redeliveries", dl.Redeliveries())
	}
	for range 3 { // and not while somebody holds it
		runtime.GC()
	}
	nothing(t, d)
	must(t, dl.Done(t.Context()))
}

func TestACrashHandsOutAgainAndCountsAndInTheEndGivesUp(t *testing.T) {
	c := newClock()
	d, crash := crashable(t, Options{Now: c.now})
	published(t, d, "poison", "good")
	for n := range deliveryLimit + 1 {
		dl := received(t, d)
		if dl.Event().ID != "poison" || dl.Redeliveries() != n {
			t.Fatalf("%s, redelivered %d times, want %d", dl.Event().ID, dl.Redeliveries(), n)
		}
		crash()
		d, crash = crashable(t, Options{Path: d.path, Now: c.now})
		if s := d.Stats(); s.Ready != 2 || s.InWork != 0 {
			t.Fatalf("%+v", s)
		}
	}
	dl := received(t, d)
	if dl.Event().ID != "good" || dl.Redeliveries() != 0 {
		t.Errorf("%s, redelivered %d times", dl.Event().ID, dl.Redeliveries())
	}
	entries, err := d.Peek(t.Context(), hook.StateDead, 0, 2)
	must(t, err)
	if len(entries) != 1 || entries[0].Event.ID != "poison" || entries[0].Fault.Kind != hook.KindPoison || !entries[0].Fault.First.Equal(c.now()) {
		t.Errorf("%+v", entries)
	}
	intact(t, d)
}

func TestAttemptsAreNotCountedAsRedeliveries(t *testing.T) {
	d, crash := crashable(t, Options{})
	published(t, d, "a")
	received(t, d)
	crash()
	d = again(t, d)
	dl := received(t, d)
	must(t, dl.Return(t.Context()))
	dl = received(t, d)
	if dl.Redeliveries() != 1 {
		t.Errorf("after it was handed back: %d", dl.Redeliveries())
	}
	must(t, dl.Later(t.Context(), 0, &hook.Fault{Kind: hook.KindTransient}))
	if dl = received(t, d); dl.Redeliveries() != 0 || dl.Event().Attempt != 1 {
		t.Errorf("after it failed: %d", dl.Redeliveries())
	}
}

func TestClosingCountsWhatWasHandedOutAndNothingElse(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b")
	d.Prefetch(2)
	dl := received(t, d)
	must(t, d.Close(t.Context()))
	for name, err := range map[string]error{"done": dl.Done(t.Context()), "return": dl.Return(t.Context())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d = again(t, d)
	d.Prefetch(2)
	for _, want := range []int{1, 0} {
		if dl := received(t, d); dl.Redeliveries() != want {
			t.Errorf("%s was redelivered %d times, want %d", dl.Event().ID, dl.Redeliveries(), want)
		}
	}
}

func TestAnEventThatIsDamagedIsPassedOver(t *testing.T) {
	d := started(t, Options{})
	published(t, d, "a", "b", "c")
	must(t, d.bolt.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketReady)).Put([]byte{7: 1}, []byte{9})
	}))
	for _, want := range []string{"b", "c"} { // and it takes no place of the prefetch
		dl := received(t, d)
		if dl.Event().ID != want {
			t.Errorf("%s, want %s", dl.Event().ID, want)
		}
		must(t, dl.Done(t.Context()))
	}
	nothing(t, d)
	must(t, d.bolt.Update(func(tx *bolt.Tx) error { // as after 21 starts
		return tx.Bucket([]byte(bucketHanded)).Put([]byte{7: 1}, []byte{3: deliveryLimit + 1})
	}))
	must(t, d.Close(t.Context()))
	d = again(t, d)
	nothing(t, d)
	if s := d.Stats(); s.Ready != 1 || d.Ready() != nil {
		t.Errorf("%+v", s)
	}
}

func TestAFileOfBeforeIsReadAndChangedOnlyWhenNeeded(t *testing.T) {
	d := started(t, Options{})
	accepted(t, d, "a")
	must(t, d.Close(t.Context()))
	d = again(t, d)
	nothingNew := func(want bool) {
		t.Helper()
		must(t, d.bolt.View(func(tx *bolt.Tx) error {
			for _, name := range []string{bucketHanded, bucketLater, bucketLaterAt} {
				if got := tx.Bucket([]byte(name)) == nil; got != want {
					t.Errorf("there is no %s: %v", name, got)
				}
			}
			return nil
		}))
	}
	nothingNew(true)
	must(t, received(t, d).Later(t.Context(), time.Hour, nil))
	nothingNew(false)
	must(t, d.Close(t.Context()))
	d = again(t, d)
	if !(counts{later: 1}).of(d) {
		t.Errorf("%+v", d.Stats())
	}
	intact(t, d)
}

func TestAllStatesCanBeLookedAt(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprint(i))
	}
	published(t, d, all...)
	d.Prefetch(6)
	var held []hook.Delivery
	for range 6 {
		held = append(held, received(t, d))
	}
	must(t, held[0].Later(t.Context(), time.Hour, nil))
	must(t, held[2].Later(t.Context(), time.Minute, &hook.Fault{Kind: hook.KindTransient}))
	must(t, held[3].Dead(t.Context(), hook.Fault{Kind: hook.KindPermanent}))
	for _, tc := range []struct {
		state hook.QueueState
		after uint64
		limit int
		want  string
	}{
		{hook.StateReady, 0, 100, "[6 7 8 9]"},
		{hook.StateReady, 7, 2, "[7 8]"},
		{hook.StateDue, 0, 100, "[0 2]"},
		{hook.StateDue, 1, 100, "[2]"},
		{hook.StateInWork, 0, 100, "[1 4 5]"},
		{hook.StateInWork, 2, 1, "[4]"},
		{hook.StateInWork, 6, 1, "[]"},
		{hook.StateInWork, math.MaxUint64, 1, "[]"},
		{hook.StateDead, 0, 100, "[3]"},
	} {
		entries, err := d.Peek(t.Context(), tc.state, tc.after, tc.limit)
		must(t, err)
		got := []string{}
		for _, e := range entries {
			got = append(got, e.Event.ID)
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s after %d: %v, want %s", tc.state, tc.after, got, tc.want)
		}
	}
	got, err := d.Counts(t.Context())
	if want := (hook.Counts{Ready: 4, Due: 2, InWork: 3, Dead: 1}); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	for _, dl := range held {
		_ = dl.Return(t.Context())
	}
	if entries, err := d.Peek(t.Context(), hook.StateInWork, 0, 1); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}
