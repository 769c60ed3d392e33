package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

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

func TestAQueueThatConfirmsNothingIsNoMatterToTheOthers(t *testing.T) {
	q := open(t, broker(t).Addr)
	name := q.opts.Prefix + ".stuck"
	if _, err := client(t).QueueDeclare(name, true, false, false, false, map[string]any{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	defer q.Expect(name, false)()
	ev := sample("evt")
	ev.Queue = name
	mustPublish(t, q, ev)
	resume := suspend(t, name)
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
	if fate, known := <-doubt.Fate; !known || fate != nil {
		t.Errorf("its fate: %v, %v", fate, known)
	}
	mustPublish(t, q, ev)
	if _, ok := drain(t, name)["late"]; !ok {
		t.Error("it is not there")
	}
}

func TestAChannelWhoseConfirmationsDoNotComeIsOpenedAnew(t *testing.T) {
	q := open(t, broker(t).Addr)
	mustPublish(t, q, sample("evt"))
	resume := suspend(t, q.routes.names.EventsIn)
	doubt, ok := isInDoubt(timely(t, q, sample("late")))
	if !ok {
		t.Fatal("it is not in doubt")
	}
	if fate, known := <-doubt.Fate; known {
		t.Errorf("its fate is known: %v", fate)
	}
	resume()
	mustPublish(t, q, sample("after"))
	if f := q.Stats().Failures; f != 0 {
		t.Errorf("%d connections lost", f)
	}
}

// A new channel may stand still from its first message on.
func TestANewChannelGetsOneMessageUntilItTakesOne(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	proxy.Refuse()
	q := begin(t, proxy.Addr, func(o *Options) {
		o.Servers = append(o.Servers, Server{Addr: broker(t).Addr})
	})
	eventually(t, "one connection is up", func() bool { return len(*q.lanes.Load()) == q.opts.Channels })
	eventually(t, "its channels have proved themselves", func() bool {
		mustPublish(t, q, sample("evt"))
		lanes := *q.lanes.Load()
		return lanes[0].took.Load() && lanes[1].took.Load()
	})
	proxy.Resume()
	eventually(t, "so is the other", func() bool { return len(*q.lanes.Load()) == 2*q.opts.Channels })
	proxy.StallDown()
	var (
		doubts  atomic.Int64
		senders sync.WaitGroup
	)
	for sender := range 8 { // who waits for a confirmation does not keep the others from theirs
		senders.Go(func() {
			for n := range 25 {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				_, err := q.Publish(ctx, sample(fmt.Sprintf("evt-%d-%d", sender, n)))
				cancel()
				if _, doubt := isInDoubt(err); doubt {
					doubts.Add(1)
				} else if err != nil {
					t.Errorf("evt-%d-%d: %v", sender, n, err)
				}
			}
		})
	}
	senders.Wait()
	if n := int(doubts.Load()); n != q.opts.Channels {
		t.Errorf("%d messages are in doubt, not one on each of %d new channels", n, q.opts.Channels)
	}
}

func TestAMessageWhoseConfirmationDoesNotComeEndsItsChannelAlone(t *testing.T) {
	q := open(t, broker(t).Addr, func(o *Options) { o.forgets = 2 * time.Second })
	name := q.opts.Prefix + ".stuck"
	if _, err := client(t).QueueDeclare(name, true, false, false, false, map[string]any{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	defer q.Expect(name, false)()
	ev := sample("evt")
	ev.Queue = name
	mustPublish(t, q, ev)
	defer suspend(t, name)()
	ev.ID = "late"
	doubt, ok := isInDoubt(timely(t, q, ev))
	if !ok {
		t.Fatal("it is not in doubt")
	}
	begin := time.Now()
	for i := 0; ; i++ { // its channel is busy with others, and confirms them
		mustPublish(t, q, sample(fmt.Sprintf("other-%d", i)))
		select {
		case fate, known := <-doubt.Fate:
			if known {
				t.Errorf("its fate is known: %v", fate)
			}
		default:
			if time.Since(begin) < 20*time.Second {
				continue
			}
			t.Error("it is awaited for ever")
		}
		break
	}
	if s := q.Stats(); s.Failures != 0 || s.Outstanding != 0 {
		t.Errorf("%d connections lost, %d messages awaited", s.Failures, s.Outstanding)
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

func TestAServerThatIsNotThereAtTheStartIsFoundLater(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	proxy.Refuse()
	option, logs := logged()
	q := begin(t, proxy.Addr, option)
	atOnce(t, q)
	warned := func() int { return logs.FilterLevelExact(zap.WarnLevel).FilterMessage("RabbitMQ cannot be used").Len() }
	eventually(t, "it says that the server is not there", func() bool { return warned() > 0 })
	failures := q.Stats().Failures
	eventually(t, "it has tried again", func() bool { return q.Stats().Failures > failures+1 })
	proxy.Resume()
	mustPublish(t, q, sample("evt_1"))
	if n := warned(); n != 1 {
		t.Errorf("it was said %d times", n)
	}
}

// Which of two servers is down is drawn: both are, one after the other.
func TestConnectionsAreSpreadOverTheServersThatAreThere(t *testing.T) {
	proxies := []*servers.Proxy{servers.NewProxy(t, broker(t).Addr), servers.NewProxy(t, broker(t).Addr)}
	on := func(want ...int) func() bool {
		return func() bool { return proxies[0].Connections() == want[0] && proxies[1].Connections() == want[1] }
	}
	proxies[0].Refuse()
	q := begin(t, proxies[0].Addr, func(o *Options) {
		o.Servers = append(o.Servers, Server{Addr: proxies[1].Addr})
	})
	eventually(t, "the other one is taken", on(0, 1))
	mustPublish(t, q, sample("evt_1"))
	proxies[0].Resume()
	eventually(t, "there is one to each", on(1, 1))
	proxies[1].Refuse()
	eventually(t, "there is one left", on(1, 0))
	mustPublish(t, q, sample("evt_2"))
	proxies[1].Resume()
	eventually(t, "there is one to each again", on(1, 1))
	eventually(t, "both are used", func() bool { return q.Stats().Open == 2 })
	mustPublish(t, q, sample("evt_3"))
}

func TestLinksTakeTheServersWithTheFewestOthersInTurn(t *testing.T) {
	for _, tc := range []struct {
		name    string
		servers int
		others  []int // at which servers the other links are
		want    []int // where a link tries one after the other
	}{
		{"one server has all links", 1, []int{0, 0}, []int{0, 0}},
		{"a link that is alone tries all", 3, []int{-1}, []int{0, 1, 2, 0}},
		{"the server of another link is left out", 3, []int{1}, []int{0, 2, 2, 0}},
		{"two servers and two links have one each", 2, []int{1}, []int{0, 0}},
		{"more links than servers are spread evenly", 2, []int{0, 1, 1}, []int{0, 0}},
		{"where all have as many, each is tried", 2, []int{0, 1}, []int{0, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &Queue{opts: Options{Servers: make([]Server, tc.servers)}}
			for _, at := range tc.others {
				q.links = append(q.links, &link{at: at})
			}
			l := newLink(q)
			q.links = append(q.links, l)
			for n, want := range tc.want {
				if q.serverFor(l); l.at != want {
					t.Errorf("attempt %d is at server %d, not %d", n+1, l.at, want)
				}
			}
		})
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
