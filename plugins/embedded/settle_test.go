package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

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
		o.ref, o.due, o.delivery = dl.ref, millis(c.now().Add(time.Minute)), dl
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
