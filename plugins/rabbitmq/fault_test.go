package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// bound is how late an answer may be. The promise is 550 ms; a machine that
// tests several packages at once gets some more.
const bound = 1200 * time.Millisecond

// timely publishes and fails the test if that takes too long.
func timely(t testing.TB, q *Queue, ev *hook.Event) error {
	t.Helper()
	begin := time.Now()
	err := publish(q, ev)
	if d := time.Since(begin); d > bound {
		t.Errorf("the answer took %s: %v", d, err)
	}
	return err
}

// atOnce waits until publishing fails without an attempt.
func atOnce(t testing.TB, q *Queue) {
	t.Helper()
	eventually(t, "it fails at once", func() bool {
		begin := time.Now()
		err := publish(q, sample("at-once"))
		return errors.Is(err, hook.ErrUnavailable) && time.Since(begin) < 50*time.Millisecond
	})
	if q.Ready() == nil {
		t.Error("it says that it is ready")
	}
}

func TestABrokerThatIsKilledLosesNothingThatWasTaken(t *testing.T) {
	r := broker(t)
	q := open(t, r.Addr)
	var mu sync.Mutex
	taken := make(map[string]bool)
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for w := range 8 {
		senders.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d-%d", w, i)
				if timely(t, q, sample(id)) == nil {
					mu.Lock()
					taken[id] = true
					mu.Unlock()
				} else {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(taken)
	}
	// RabbitMQ 3.10 writes the names of its queues to disk some seconds late: a
	// younger one than this does not come back, with whatever client.
	for begin := time.Now(); count() < 200 || time.Since(begin) < 5*time.Second; {
		time.Sleep(10 * time.Millisecond)
	}
	r.Kill()
	eventually(t, "it is not ready", func() bool { return q.Ready() != nil })
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	before := count()
	eventually(t, "more are taken", func() bool { return count() > before+200 })
	close(stop)
	senders.Wait()
	there := drain(t, q.routes.names.EventsIn)
	for id := range taken {
		if _, ok := there[id]; !ok {
			t.Errorf("%s was taken and is not there", id)
		}
	}
	t.Logf("%d taken, %d there", len(taken), len(there))
}

func TestABrokerThatStandsStillIsFoundOutAndItsLateConfirmationsCount(t *testing.T) {
	r := broker(t)
	q := open(t, r.Addr)
	r.Signal(t, syscall.SIGSTOP)
	resume := sync.OnceFunc(func() { r.Signal(t, syscall.SIGCONT) })
	defer resume()
	doubt, ok := isInDoubt(timely(t, q, sample("late")))
	if !ok {
		t.Fatal("the first event is not in doubt")
	}
	atOnce(t, q)
	resume()
	select {
	case fate, known := <-doubt.Fate:
		if !known || fate != nil {
			t.Errorf("its fate: %v, %v", fate, known)
		}
	case <-time.After(10 * time.Second):
		t.Error("its fate does not come")
	}
	mustPublish(t, q, sample("after"))
	there := drain(t, q.routes.names.EventsIn)
	for _, id := range []string{"late", "after"} {
		if _, ok := there[id]; !ok {
			t.Errorf("%s is not there", id)
		}
	}
}

func TestABrokerThatStandsStillForLongIsConnectedToAnew(t *testing.T) {
	r := broker(t)
	q := open(t, r.Addr)
	r.Signal(t, syscall.SIGSTOP)
	resume := sync.OnceFunc(func() { r.Signal(t, syscall.SIGCONT) })
	defer resume()
	eventually(t, "both connections are given up", func() bool { return q.Stats().Failures >= 2 })
	atOnce(t, q)
	resume()
	mustPublish(t, q, sample("after"))
}

func TestAnAlarmStopsPublishingAtOnceUntilItIsOver(t *testing.T) {
	r := broker(t)
	for name, alarm := range map[string]struct{ raise, end []string }{
		"memory": {[]string{"set_vm_memory_high_watermark", "0.00001"}, []string{"set_vm_memory_high_watermark", "0.6"}},
		"disk":   {[]string{"set_disk_free_limit", "9000GB"}, []string{"set_disk_free_limit", "50MB"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := open(t, r.Addr)
			r.Ctl(t, alarm.raise...)
			end := sync.OnceFunc(func() { r.Ctl(t, alarm.end...) })
			defer end()
			// The notice comes on each connection after the first message there.
			var doubts []*hook.InDoubt
			eventually(t, "it is blocked", func() bool {
				err := timely(t, q, sample(fmt.Sprintf("doubt-%d", len(doubts))))
				if d, ok := isInDoubt(err); ok {
					doubts = append(doubts, d)
				}
				return q.Stats().Blocked == 2
			})
			atOnce(t, q)
			end()
			for i, d := range doubts {
				if fate, known := <-d.Fate; !known || fate != nil {
					t.Errorf("fate of %d: %v, %v", i, fate, known)
				}
			}
			mustPublish(t, q, sample("after"))
			there := drain(t, q.routes.names.EventsIn)
			for i := range doubts {
				if _, ok := there[fmt.Sprintf("doubt-%d", i)]; !ok {
					t.Errorf("event %d in doubt turned out well and is not there", i)
				}
			}
			if f := q.Stats().Failures; f != 0 {
				t.Errorf("%d connections lost", f)
			}
		})
	}
}

func TestAFullQueueRefuses(t *testing.T) {
	q := open(t, broker(t).Addr)
	name := q.opts.Prefix + ".small"
	ch := client(t)
	if _, err := ch.QueueDeclare(name, true, false, false, false, map[string]any{
		"x-queue-type": "quorum", "x-max-length": int64(3), "x-overflow": "reject-publish",
	}); err != nil {
		t.Fatal(err)
	}
	defer q.Expect(name, false)()
	ev := sample("evt")
	ev.Queue = name
	mustPublish(t, q, ev)
	eventually(t, "it refuses", func() bool { return errors.Is(timely(t, q, ev), hook.ErrRefused) })
	mustPublish(t, q, sample("another queue"))
	if _, err := ch.QueuePurge(name, false); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, q, ev)
}

// suspend stops the leader of a quorum queue, and returns what lets it go on.
func suspend(t *testing.T, queue string) (resume func()) {
	t.Helper()
	process := "whereis('%2F_" + queue + "')"
	broker(t).Ctl(t, "eval", "sys:suspend("+process+").")
	resume = sync.OnceFunc(func() { broker(t).Ctl(t, "eval", "sys:resume("+process+").") })
	t.Cleanup(resume)
	return resume
}

// inNamedQueue publishes an event to a quorum queue that a hook names, which is
// looked for until the end of the test.
func inNamedQueue(t *testing.T, q *Queue) *hook.Event {
	t.Helper()
	ev := sample("evt")
	ev.Queue = q.opts.Prefix + ".named"
	if _, err := client(t).QueueDeclare(ev.Queue, true, false, false, false, map[string]any{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Expect(ev.Queue, false))
	mustPublish(t, q, ev)
	return ev
}

func TestAQueueThatConfirmsNothingIsNoMatterToTheOthers(t *testing.T) {
	q := open(t, broker(t).Addr)
	ev := inNamedQueue(t, q)
	resume := suspend(t, ev.Queue)
	begin := time.Now()
	ev.ID = "late"
	doubt, ok := isInDoubt(timely(t, q, ev))
	if !ok {
		t.Fatal("it is not in doubt")
	}
	eventually(t, "it fails at once", func() bool { return errors.Is(timely(t, q, ev), hook.ErrUnavailable) })
	if err := q.Ready(); err != nil {
		t.Errorf("it says that it is not ready: %v", err)
	}
	for i := range 20 {
		mustPublish(t, q, sample(fmt.Sprintf("other-%d", i)))
	}
	resume()
	fate, known := <-doubt.Fate
	givenUp := !known && time.Since(begin) > stuckAfter // on a machine that takes so long
	if !givenUp && (!known || fate != nil) {
		t.Errorf("its fate: %v, %v", fate, known)
	}
	mustPublish(t, q, ev)
	if _, ok := drain(t, ev.Queue)["late"]; !ok {
		t.Error("it is not there")
	}
}

func TestWhatIsDeletedIsMadeAnew(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, q *Queue){
		"the exchange": func(t *testing.T, q *Queue) {
			if err := client(t).ExchangeDelete(q.routes.names.Events, false, false); err != nil {
				t.Fatal(err)
			}
		},
		"the queue": func(t *testing.T, q *Queue) {
			if _, err := client(t).QueueDelete(q.routes.names.EventsIn, false, false, false); err != nil {
				t.Fatal(err)
			}
		},
		"the binding": func(t *testing.T, q *Queue) {
			if err := client(t).QueueUnbind(q.routes.names.EventsIn, "#", q.routes.names.Events, nil); err != nil {
				t.Fatal(err)
			}
		},
		"all of it": func(t *testing.T, q *Queue) {
			ch := client(t)
			for _, x := range []string{q.routes.names.Events, q.routes.names.DeadLetter} {
				if err := ch.ExchangeDelete(x, false, false); err != nil {
					t.Fatal(err)
				}
			}
			for _, x := range []string{q.routes.names.EventsIn, q.routes.names.Dead} {
				if _, err := ch.QueueDelete(x, false, false, false); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := open(t, broker(t).Addr)
			mustPublish(t, q, sample("before"))
			remove(t, q)
			begin := time.Now()
			if err := timely(t, q, sample("meanwhile")); err == nil {
				t.Fatal("an event was taken that no queue has")
			}
			mustPublish(t, q, sample("after"))
			t.Logf("after %s", time.Since(begin).Round(time.Millisecond))
			if _, ok := drain(t, q.routes.names.EventsIn)["after"]; !ok {
				t.Error("it is not there")
			}
			if f := q.Stats().Failures; f != 0 {
				t.Errorf("%d connections lost", f)
			}
		})
	}
}

func TestAPassiveQueueWaitsForTheOperators(t *testing.T) {
	option, logs := logged()
	q := begin(t, broker(t).Addr, option, func(o *Options) { o.Topology = Passive })
	eventually(t, "it says what is missing", func() bool {
		err := q.Ready()
		return err != nil && errors.As(err, new(*amqpError)) && logs.FilterMessageSnippet("lacks").Len() > 0
	})
	if err := timely(t, q, sample("evt_1")); !errors.Is(err, hook.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	open(t, broker(t).Addr, func(o *Options) { o.Prefix = q.opts.Prefix }) // which makes it all
	mustPublish(t, q, sample("evt_1"))
	if f := q.Stats().Channels; f != 0 {
		t.Errorf("%d channels lost", f)
	}
}

func TestALinkThatTakesNothingIsGivenUpInTime(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	q := open(t, proxy.Addr)
	proxy.StallUp()
	// Enough to fill every buffer on the way.
	var senders sync.WaitGroup
	deadline := time.Now().Add(8 * time.Second)
	for w := range 64 {
		senders.Go(func() {
			ev := sample(fmt.Sprintf("stalled-%d", w))
			ev.Body = make([]byte, 256<<10)
			for time.Now().Before(deadline) && q.Stats().Failures == 0 {
				if timely(t, q, ev) == nil {
					t.Error("taken")
				}
			}
		})
	}
	senders.Wait()
	proxy.Resume()
	mustPublish(t, q, sample("after"))
}

func TestALinkThatGivesNothingBackIsGivenUpInTime(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	q := open(t, proxy.Addr)
	proxy.StallDown()
	if _, ok := isInDoubt(timely(t, q, sample("evt"))); !ok {
		t.Fatal("it is not in doubt")
	}
	atOnce(t, q)
	eventually(t, "the connections are given up", func() bool { return q.Stats().Failures >= 2 })
	proxy.Resume()
	mustPublish(t, q, sample("after"))
}

func TestAConnectionThatBreaksBeforeTheConfirmationLeavesItInDoubt(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	q := open(t, proxy.Addr)
	for i := range 3 {
		proxy.CutReply()
		eventually(t, "an event is in doubt", func() bool {
			doubt, ok := isInDoubt(timely(t, q, sample(fmt.Sprintf("cut-%d", i))))
			if ok {
				if fate, known := <-doubt.Fate; known {
					t.Errorf("its fate is known: %v", fate)
				}
			}
			return ok
		})
		mustPublish(t, q, sample(fmt.Sprintf("after-%d", i)))
	}
}

func TestAWrongPasswordIsSaidAndARightOneIsUsedLater(t *testing.T) {
	var mu sync.Mutex
	password := "wrong"
	q := begin(t, broker(t).Addr, func(o *Options) {
		o.Credentials = func(context.Context) (Credentials, error) {
			mu.Lock()
			defer mu.Unlock()
			return Credentials{"guest", password}, nil
		}
	})
	eventually(t, "it is said", func() bool {
		err := q.Ready()
		return err != nil && errors.As(err, new(*amqpError))
	})
	mu.Lock()
	password = "guest"
	mu.Unlock()
	mustPublish(t, q, sample("evt_1"))
}
