package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

func TestAnEventIsInTheQueueWithEverythingThatIsKnownOfIt(t *testing.T) {
	q := open(t, broker(t).Addr)
	ev := sample("evt_1")
	ev.Attempt, ev.Replay = 2, 1
	mustPublish(t, q, ev)
	d, ok := drain(t, q.routes.names.EventsIn)["evt_1"]
	if !ok {
		t.Fatal("it is not in the queue")
	}
	if d.DeliveryMode != amqp.Persistent || d.AppId != "hookgate" || d.Exchange != q.opts.Prefix || d.RoutingKey != "pe.action.map" {
		t.Errorf("delivery mode %d, app %q, exchange %q, key %q", d.DeliveryMode, d.AppId, d.Exchange, d.RoutingKey)
	}
	got, fault := decode(&d)
	if fault != nil {
		t.Errorf("it has a fault: %v", fault)
	}
	if diff := cmp.Diff(ev, got, cmpopts.EquateComparable(ev.ClientIP)); diff != "" {
		t.Error(diff)
	}
}

// The memory of a message is used again.
func TestAMessageHasNothingOfTheOneBeforeIt(t *testing.T) {
	q := open(t, broker(t).Addr)
	for i := range 20 {
		full := sample("full" + strconv.Itoa(i))
		full.Attempt, full.Replay = 3, 2
		for _, name := range hook.HeaderNames() {
			full.Header[name] = "x"
		}
		mustPublish(t, q, full)
		least := &hook.Event{ID: "least" + strconv.Itoa(i), Hook: "other"}
		mustPublish(t, q, least)
	}
	published := make(map[string]bool)
	for id, d := range drain(t, q.routes.names.EventsIn) {
		if unique := d.Headers[headerPublish].(string); published[unique] {
			t.Errorf("%s has the number of another", id)
		} else {
			published[unique] = true
		}
		if !strings.HasPrefix(id, "least") {
			continue
		}
		delete(d.Headers, "x-delivery-count") // the server's
		want := []string{headerFingerprint, headerHook, headerPublish, headerReceivedAt}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(d.Headers))); diff != "" || d.Type != "" || d.ContentType != "" || len(d.Body) != 0 {
			t.Errorf("%s is %+v, -want +got:\n%s", id, d, diff)
		}
	}
	if len(published) != 40 {
		t.Errorf("%d messages", len(published))
	}
}

func TestAParkedEventIsADeadLetterWithItsFaultAndItsOrigin(t *testing.T) {
	q := open(t, broker(t).Addr)
	ev := sample("evt_1")
	fault := hook.Fault{
		Kind: hook.KindInvalid, Message: "does not meet its contract", Status: 422,
		Violations: []hook.Violation{{Pointer: "/callOutcome", Code: "missing"}},
		Time:       ev.ReceivedAt, First: ev.ReceivedAt,
	}
	if _, err := q.Park(context.Background(), ev, fault); err != nil {
		t.Fatal(err)
	}
	d, ok := drain(t, q.routes.names.Dead)["evt_1"]
	if !ok {
		t.Fatal("it is not among the dead letters")
	}
	got, gotFault := decode(&d)
	if diff := cmp.Diff(ev, got, cmpopts.EquateComparable(ev.ClientIP)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&fault, gotFault); diff != "" {
		t.Error(diff)
	}
	if d.Headers[headerOriginExchange] != q.opts.Prefix || d.Headers[headerOriginKey] != "pe.action.map" {
		t.Errorf("origin %v %v", d.Headers[headerOriginExchange], d.Headers[headerOriginKey])
	}
	if n := len(drain(t, q.routes.names.EventsIn)); n != 0 {
		t.Errorf("%d events for the consumer", n)
	}
}

func TestAHooksOwnQueueGetsItsEventsAndNoOtherDoes(t *testing.T) {
	q := open(t, broker(t).Addr)
	name := q.opts.Prefix + ".crm"
	release := q.Expect(name, false)
	defer release()
	ev := sample("evt_1")
	ev.Queue = name
	mustPublish(t, q, ev)
	if _, ok := drain(t, name)["evt_1"]; !ok {
		t.Error("it is not in its queue")
	}
	if n := len(drain(t, q.routes.names.EventsIn)); n != 0 {
		t.Errorf("%d copies in the queue for events", n)
	}
}

func TestAQueueOfAnotherProgramIsUsedAsItIs(t *testing.T) {
	q := open(t, broker(t).Addr)
	name := q.opts.Prefix + ".crm"
	if _, err := client(t).QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-max-length": int64(100)}); err != nil {
		t.Fatal(err)
	}
	defer q.Expect(name, false)()
	ev := sample("evt_1")
	ev.Queue = name
	mustPublish(t, q, ev)
	if _, ok := drain(t, name)["evt_1"]; !ok {
		t.Error("it is not in its queue")
	}
}

func TestAnEventThatFitsNoMessageIsRefusedAndHarmsNobody(t *testing.T) {
	q := open(t, broker(t).Addr)
	long := strings.Repeat("x", 256)
	for name, change := range map[string]func(*hook.Event){
		"its ID is too long":          func(ev *hook.Event) { ev.ID = long },
		"its ID is empty":             func(ev *hook.Event) { ev.ID = "" },
		"its routing key is too long": func(ev *hook.Event) { ev.RoutingKey = long },
		"its queue is too long":       func(ev *hook.Event) { ev.Queue = long },
		"its contract is too long":    func(ev *hook.Event) { ev.Contract = long },
		"a task without a queue":      func(ev *hook.Event) { ev.Task = "app.tasks.take" },
		"a task without JSON": func(ev *hook.Event) {
			ev.Task, ev.Queue, ev.Body = "app.tasks.take", "celery", []byte("{")
		},
	} {
		ev := sample("evt_1")
		change(ev)
		if err := publish(q, ev); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	ev := sample(strings.Repeat("x", 255))
	ev.RoutingKey = strings.Repeat("y", 255)
	ev.ContentType = "application/json; x=" + long
	mustPublish(t, q, ev)
	if f := q.Stats().Failures; f != 0 {
		t.Errorf("%d connections lost", f)
	}
}

// The server returns a message and acknowledges it then. Under load the two
// must never be taken apart.
func TestWhatNoQueueGetsIsNeverTaken(t *testing.T) {
	q := open(t, broker(t).Addr)
	// The queue for dead letters is unbound, and events have theirs. The
	// binding is made anew within a second, and unbound again.
	ch := client(t)
	unbind := func() {
		if err := ch.QueueUnbind(q.routes.names.Dead, "#", q.routes.names.DeadLetter, nil); err != nil {
			t.Error(err)
		}
	}
	unbind()
	stop := make(chan struct{})
	var unbinder sync.WaitGroup
	unbinder.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				unbind()
			}
		}
	})
	var parked, events sync.Map
	var returned atomic.Int64
	var all sync.WaitGroup
	for w := range 32 {
		all.Go(func() {
			for i := range 100 {
				id := fmt.Sprintf("%d-%d", w, i)
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				if i%2 == 0 {
					if _, err := q.Publish(ctx, sample(id)); err == nil {
						events.Store(id, true)
					}
				} else if _, err := q.Park(ctx, sample(id), hook.Fault{Kind: hook.KindInvalid}); err == nil {
					parked.Store(id, true)
				} else if errors.Is(err, hook.ErrRefused) {
					returned.Add(1)
				}
				cancel()
			}
		})
	}
	all.Wait()
	close(stop)
	unbinder.Wait()
	if returned.Load() == 0 {
		t.Error("nothing was returned")
	}
	for queue, taken := range map[string]*sync.Map{q.routes.names.EventsIn: &events, q.routes.names.Dead: &parked} {
		there := drain(t, queue)
		n := 0
		taken.Range(func(id, _ any) bool {
			n++
			if _, ok := there[id.(string)]; !ok {
				t.Errorf("%s was taken and is not in %s", id, queue)
			}
			return true
		})
		t.Logf("%s: %d taken, %d there", queue, n, len(there))
	}
}

func TestAnEventIsNotWrittenOnceItsTimeIsOver(t *testing.T) {
	q := open(t, broker(t).Addr)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	written := make(map[string]bool)
	for i := range 200 {
		id := fmt.Sprintf("late-%d", i)
		_, err := q.Publish(ctx, sample(id))
		doubt, inDoubt := isInDoubt(err)
		switch {
		case err == nil: // it was confirmed at once
			written[id] = true
		case inDoubt:
			if fate, known := <-doubt.Fate; !known || fate != nil {
				t.Fatalf("the fate of %s: %v, %v", id, fate, known)
			}
			written[id] = true
		case !errors.Is(err, hook.ErrUnavailable):
			t.Fatal(err)
		}
	}
	if len(written) == 200 {
		t.Error("nothing was kept back")
	}
	there := drain(t, q.routes.names.EventsIn)
	for i := range 200 {
		id := fmt.Sprintf("late-%d", i)
		if _, ok := there[id]; ok != written[id] {
			t.Errorf("%s: written %v, in the queue %v", id, written[id], ok)
		}
	}
}

func TestAClosedQueueTakesNothing(t *testing.T) {
	q := open(t, broker(t).Addr)
	if err := q.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := publish(q, sample("evt_1")); !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if q.Ready() == nil {
		t.Error("it says that it is ready")
	}
	if err := q.Start(); err == nil {
		t.Error("it was started again")
	}
}

func TestAQueueThatWasNotStartedSaysSo(t *testing.T) {
	q, err := New(Options{Servers: []Server{{Addr: "127.0.0.1:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(q, sample("evt_1")); !errors.Is(err, errNotStarted) || !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := q.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
