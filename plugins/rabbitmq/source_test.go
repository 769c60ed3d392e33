package rabbitmq

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// consume starts a source on the queue for events of q, with short tiers.
func consume(t testing.TB, addr string, q *Queue) *Source {
	t.Helper()
	s, err := NewSource(SourceOptions{
		Options: Options{Servers: []Server{{Addr: addr, Host: "localhost"}}, Prefix: q.opts.Prefix},
		Retry:   []time.Duration{time.Second, 2 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.depth.every = 50 * time.Millisecond
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func receive(t testing.TB, s *Source) hook.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	d, err := s.Receive(ctx)
	if err != nil {
		t.Fatalf("receive: %v (%v)", err, s.Ready())
	}
	return d
}

// settle settles a delivery, which may have to wait for the publishing side to
// be connected.
func settle(t testing.TB, what string, settle func(ctx context.Context) error) {
	t.Helper()
	var err error
	eventually(t, what, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = settle(ctx)
		return err == nil
	})
}

func TestAnEventIsHandedOutUntilItIsDone(t *testing.T) {
	addr := broker(t).Addr
	q := open(t, addr)
	ev := sample("evt")
	mustPublish(t, q, ev)
	s := consume(t, addr, q)

	d := receive(t, s)
	if diff := cmp.Diff(ev, d.Event(), cmpopts.EquateComparable(ev.ClientIP)); diff != "" {
		t.Error(diff)
	}
	if d.Redeliveries() != 0 {
		t.Errorf("%d redeliveries", d.Redeliveries())
	}
	settle(t, "it is returned", d.Return)

	d = receive(t, s)
	if d.Redeliveries() != 1 {
		t.Errorf("%d redeliveries after one", d.Redeliveries())
	}
	settle(t, "it waits", func(ctx context.Context) error {
		return d.Later(ctx, time.Second, &hook.Fault{Kind: hook.KindTransient, Message: "no", Status: 503})
	})
	begin := time.Now()
	d = receive(t, s)
	if waited := time.Since(begin); waited < 500*time.Millisecond {
		t.Errorf("it waited %s", waited)
	}
	if d.Event().Attempt != 1 || d.Event().RoutingKey != ev.RoutingKey || d.Redeliveries() != 0 {
		t.Errorf("attempt %d, key %s, %d redeliveries", d.Event().Attempt, d.Event().RoutingKey, d.Redeliveries())
	}
	settle(t, "it waits without a fault", func(ctx context.Context) error { return d.Later(ctx, 0, nil) })
	d = receive(t, s)
	if d.Event().Attempt != 1 {
		t.Errorf("attempt %d", d.Event().Attempt)
	}
	settle(t, "it is done", d.Done)
	eventually(t, "nothing is left", func() bool {
		n, err := q.Counts(context.Background())
		return err == nil && n == hook.Counts{}
	})
}

func TestADeadEventKeepsItsOriginAndItsFirstFault(t *testing.T) {
	addr := broker(t).Addr
	q := open(t, addr)
	mustPublish(t, q, sample("evt"))
	s := consume(t, addr, q)
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := receive(t, s)
	settle(t, "it waits", func(ctx context.Context) error {
		return d.Later(ctx, time.Second, &hook.Fault{Kind: hook.KindTransient, Message: "no", Time: first})
	})
	d = receive(t, s)
	last := first.Add(time.Hour)
	settle(t, "it is dead", func(ctx context.Context) error {
		return d.Dead(ctx, hook.Fault{Kind: hook.KindExhausted, Message: "no more", Status: 500, Attempt: 2, Time: last})
	})
	var letters []*hook.DeadLetter
	eventually(t, "it is among the dead letters", func() bool {
		letters = nil
		err := q.Sweep(context.Background(), func(l *hook.DeadLetter) hook.Verdict {
			letters = append(letters, l)
			return hook.Verdict{}
		})
		return err == nil && len(letters) == 1
	})
	l := letters[0]
	want := hook.Fault{Kind: hook.KindExhausted, Message: "no more", Status: 500, Attempt: 2, Time: last, First: first}
	if diff := cmp.Diff(want, l.Fault); diff != "" {
		t.Error(diff)
	}
	if l.OriginExchange != q.opts.Prefix || l.OriginKey != "pe.action.map" || l.Event.RoutingKey != "pe.action.map" || l.ID != hook.LetterID(l.Event) {
		t.Errorf("origin %s %s, key %s, ID %s", l.OriginExchange, l.OriginKey, l.Event.RoutingKey, l.ID)
	}
}

func TestALetterIsSentToItsOriginOrDiscardedOrKeptInItsPlace(t *testing.T) {
	q := open(t, broker(t).Addr)
	for i := range 6 {
		ev := sample(fmt.Sprintf("evt-%d", i))
		if _, err := q.Park(context.Background(), ev, hook.Fault{Kind: hook.KindInvalid, Time: ev.ReceivedAt, First: ev.ReceivedAt}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func() (ids []string) {
		if err := q.Sweep(context.Background(), func(l *hook.DeadLetter) hook.Verdict {
			ids = append(ids, l.Event.ID)
			return hook.Verdict{}
		}); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	eventually(t, "all are there", func() bool { return len(ids()) == 6 })
	for range 50 { // looking wears nothing out
		if got := ids(); !cmp.Equal(got, []string{"evt-0", "evt-1", "evt-2", "evt-3", "evt-4", "evt-5"}) {
			t.Fatalf("got %v", got)
		}
	}
	if err := q.Sweep(context.Background(), func(l *hook.DeadLetter) hook.Verdict {
		switch l.Event.ID {
		case "evt-1":
			ev := *l.Event
			ev.Replay++
			return hook.Verdict{Do: hook.Send, Event: &ev}
		case "evt-2":
			return hook.Verdict{Do: hook.Discard}
		case "evt-4":
			return hook.Verdict{Do: hook.Stop}
		case "evt-5":
			t.Error("the sweep went on")
		}
		return hook.Verdict{}
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the others are there", func() bool { return cmp.Equal(ids(), []string{"evt-0", "evt-3", "evt-4", "evt-5"}) })
	sent := drain(t, q.routes.names.EventsIn)
	if d, ok := sent["evt-1"]; !ok || len(sent) != 1 || number(d.Headers, headerReplay) != 1 || text(d.Headers, headerFaultKind) != "" {
		t.Errorf("sent %v", sent)
	}
}

func TestASourceThatLosesItsConnectionGetsItsEventsAgain(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	q := open(t, broker(t).Addr)
	s := consume(t, proxy.Addr, q)
	s.Prefetch(10)
	const n = 20
	for i := range n {
		mustPublish(t, q, sample(fmt.Sprintf("evt-%d", i)))
	}
	done := make(map[string]bool)
	for i := 0; len(done) < n; i++ {
		d := receive(t, s)
		if i%7 == 3 {
			proxy.Reset()
		}
		if d.Done(context.Background()) == nil {
			done[d.Event().ID] = true
		}
	}
}

func TestThePrefetchBoundsWhatIsHandedOut(t *testing.T) {
	addr := broker(t).Addr
	q := open(t, addr)
	s := consume(t, addr, q)
	for i := range 8 {
		mustPublish(t, q, sample(fmt.Sprintf("evt-%d", i)))
	}
	held := []hook.Delivery{receive(t, s)}
	short := func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		d, err := s.Receive(ctx)
		if err == nil {
			held = append(held, d)
		}
		return err != nil
	}
	if !short() {
		t.Error("two are handed out with a prefetch of 1")
	}
	s.Prefetch(4)
	eventually(t, "more are handed out", func() bool { short(); return len(held) >= 4 })
	for _, d := range held {
		settle(t, "it is done", d.Done)
	}
}

func TestATierIsNamedAfterItsDelay(t *testing.T) {
	n := NamesOf("hookgate")
	for d, want := range map[time.Duration]string{
		5 * time.Second: "hookgate.retry.5s", 90 * time.Second: "hookgate.retry.90s", 2 * time.Minute: "hookgate.retry.2m",
		6 * time.Hour: "hookgate.retry.6h", 1500 * time.Millisecond: "hookgate.retry.1500ms",
	} {
		if got := TierName(n, n.EventsIn, d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	if got := TierName(n, "crm", time.Minute); got != "crm.retry.1m" {
		t.Errorf("another queue: %s", got)
	}
}

func TestManyLettersStayInTheirOrderWhileSomeGo(t *testing.T) {
	q := open(t, broker(t).Addr)
	var want []string
	for i := range 150 {
		ev := sample(fmt.Sprintf("evt-%03d", i))
		if _, err := q.Park(context.Background(), ev, hook.Fault{Kind: hook.KindInvalid, Time: ev.ReceivedAt}); err != nil {
			t.Fatal(err)
		}
		if i%3 != 1 {
			want = append(want, ev.ID)
		}
	}
	eventually(t, "all are there", func() bool {
		n, err := q.Count(context.Background())
		return err == nil && n == 150
	})
	n := 0
	sweep := func(verdict func(n int) hook.Action) (ids []string) {
		n = 0
		if err := q.Sweep(context.Background(), func(l *hook.DeadLetter) hook.Verdict {
			ids = append(ids, l.Event.ID)
			n++
			return hook.Verdict{Do: verdict(n - 1), Event: l.Event}
		}); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	sweep(func(n int) hook.Action {
		switch {
		case n%6 == 1:
			return hook.Send
		case n%3 == 1:
			return hook.Discard
		}
		return hook.Keep
	})
	for range 3 {
		if diff := cmp.Diff(want, sweep(func(int) hook.Action { return hook.Keep })); diff != "" {
			t.Fatal(diff)
		}
	}
	sweep(func(n int) hook.Action {
		if n == 40 {
			return hook.Stop
		}
		return hook.Keep
	})
	if diff := cmp.Diff(want, sweep(func(int) hook.Action { return hook.Keep })); diff != "" {
		t.Error(diff)
	}
	if sent := drain(t, q.routes.names.EventsIn); len(sent) != 25 {
		t.Errorf("%d were sent", len(sent))
	}
}

func TestConnectionsAreNamedByWhatTheyAreFor(t *testing.T) {
	q := open(t, broker(t).Addr)
	consume(t, broker(t).Addr, q)
	command := open(t, broker(t).Addr, func(o *Options) { o.Role = "command" })
	names := func(name string) int {
		list := broker(t).Ctl(t, "--quiet", "list_connections", "client_properties")
		return strings.Count(list, `"`+name+`"`)
	}
	for name, want := range map[string]int{
		q.opts.Prefix + " edge":           2,
		q.opts.Prefix + " consumer":       2, // one to consume, and one to publish
		command.opts.Prefix + " command":  2,
		command.opts.Prefix + " consumer": 0,
	} {
		eventually(t, fmt.Sprintf("%d connections are called %s", want, name), func() bool { return names(name) == want })
	}
}
