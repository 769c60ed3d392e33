package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// park keeps an event as a dead letter.
func park(t *testing.T, q *Queue, ev *hook.Event) {
	t.Helper()
	eventually(t, "an event is parked", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := q.Park(ctx, ev, hook.Fault{Kind: hook.KindInvalid, Message: "missing"})
		return err == nil
	})
}

// count waits for the counts: what a channel held is given back a moment after
// it was closed.
func count(t *testing.T, q *Queue, want hook.Counts) {
	t.Helper()
	var got hook.Counts
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("there are %+v, %v", got, err)
		}
	}()
	eventually(t, fmt.Sprintf("there are %+v", want), func() bool {
		got, err = q.Counts(t.Context())
		return err == nil && got == want
	})
}

// ids returns the event IDs of entries.
func ids(entries []hook.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Event.ID)
	}
	return all
}

func TestCountsAreThoseOfAllQueues(t *testing.T) {
	q := open(t, broker(t).Addr)
	name := q.opts.Prefix + ".crm"
	defer q.Expect(name, false)()
	count(t, q, hook.Counts{})
	for i := range 3 {
		mustPublish(t, q, sample(fmt.Sprintf("evt-%d", i)))
	}
	own := sample("own")
	own.Queue = name
	mustPublish(t, q, own)
	park(t, q, sample("parked"))
	count(t, q, hook.Counts{Ready: 4, Dead: 1})
	ch := client(t)
	if _, ok, err := ch.Get(q.routes.names.EventsIn, false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	count(t, q, hook.Counts{Ready: 3, Dead: 1}) // a consumer has one
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	count(t, q, hook.Counts{Ready: 4, Dead: 1})
}

// fill publishes n events, and as many dead letters, in an order.
func fill(t *testing.T, q *Queue, n int) (all []string) {
	t.Helper()
	ch := client(t)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		id := fmt.Sprintf("evt-%d", i)
		all = append(all, id)
		event, err := message(sample(id))
		if err != nil {
			t.Fatal(err)
		}
		letter, err := deadLetter(sample(id), &hook.Fault{Kind: hook.KindInvalid}, q.routes.names.Events, "k")
		if err != nil {
			t.Fatal(err)
		}
		for exchange, msg := range map[string]amqp.Publishing{q.routes.names.Events: event, q.routes.names.DeadLetter: letter} {
			if err := ch.Publish(exchange, "k", true, false, msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	count(t, q, hook.Counts{Ready: n, Dead: n})
	return all
}

// Messages that were given back come before all others, in the order in which
// they were given back: each look must leave that order as it was.
func TestALookTakesNothingAwayAndKeepsTheOrder(t *testing.T) {
	q := open(t, broker(t).Addr)
	const n = 1200
	all := fill(t, q, n)
	for _, state := range []hook.QueueState{hook.StateReady, hook.StateDead} {
		for _, look := range []struct {
			after uint64
			limit int
			want  []string
		}{
			{0, 4, all[:4]},
			{4, 3, all[4:7]},
			{n - 2, 100, all[n-2:]},
			{0, n, all},
			{20, 20, all[20:40]},
			{0, 1, all[:1]},
			{700, 3, all[700:703]},
			{n, 5, nil},
			{2 * n, 5, nil},
			{0, 0, nil},
		} {
			entries, err := q.Peek(t.Context(), state, look.after, look.limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(look.want, ids(entries)); diff != "" {
				t.Errorf("%s, %d after %d: -want +got:\n%.1000s", state, look.limit, look.after, diff)
			}
			for i, e := range entries {
				if e.Seq != look.after+uint64(i)+1 || !e.At.Equal(e.Event.ReceivedAt) || (e.Fault != nil) != (state == hook.StateDead) {
					t.Fatalf("%s: %+v, fault %v", state, e, e.Fault)
				}
			}
		}
	}
	count(t, q, hook.Counts{Ready: n, Dead: n})
	ch := client(t)
	for _, want := range all {
		d, ok, err := ch.Get(q.routes.names.EventsIn, true)
		if err != nil || !ok || d.MessageId != want {
			t.Fatalf("a consumer gets %q instead of %q, %v", d.MessageId, want, err)
		}
	}
}

func TestADeadLetterMayBeLookedAtForever(t *testing.T) {
	q := open(t, broker(t).Addr)
	park(t, q, sample("parked"))
	for range 50 {
		count(t, q, hook.Counts{Dead: 1})
		if entries, err := q.Peek(t.Context(), hook.StateDead, 0, 1); err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
	}
}

// Before RabbitMQ 4.3 each look counts as a delivery, and the 21st would make
// the event a dead letter of the server's.
func TestATiredEventIsLeftToItsConsumer(t *testing.T) {
	q := open(t, broker(t).Addr)
	if atLeast(t, 4, 3) {
		mustPublish(t, q, sample("evt"))
		for range 50 {
			count(t, q, hook.Counts{Ready: 1})
			if entries, err := q.Peek(t.Context(), hook.StateReady, 0, 1); err != nil || len(entries) != 1 {
				t.Fatal(entries, err)
			}
		}
		return
	}
	mustPublish(t, q, sample("evt"))
	looks := 0
	for eventually(t, "it is back", func() bool { n, err := q.Counts(t.Context()); return err == nil && n.Ready == 1 }); looks < 50; looks++ {
		entries, err := q.Peek(t.Context(), hook.StateReady, 0, 1)
		if errors.Is(err, ErrWouldTire) {
			break
		}
		if err != nil || len(entries) != 1 {
			t.Fatalf("look %d: %v, %v", looks, entries, err)
		}
		count(t, q, hook.Counts{Ready: 1})
	}
	if looks != maxLooks {
		t.Errorf("%d looks were allowed", looks)
	}
	for range 50 {
		if _, err := q.Peek(t.Context(), hook.StateReady, 0, 1); !errors.Is(err, ErrWouldTire) {
			t.Fatal(err)
		}
	}
	count(t, q, hook.Counts{Ready: 1})
	d, ok, err := client(t).Get(q.routes.names.EventsIn, true)
	if err != nil || !ok || d.MessageId != "evt" || number(d.Headers, "x-delivery-count") > maxLooks+1 {
		t.Errorf("its consumer gets %q, delivered %v times, %v", d.MessageId, d.Headers["x-delivery-count"], err)
	}
}

func TestALookNeedsNoStartAndNoTopology(t *testing.T) {
	q := unstarted(t, func(o *Options) { o.Prefix = prefix(t) })
	for name, look := range map[string]func() error{
		"counts": func() error { _, err := q.Counts(t.Context()); return err },
		"a peek": func() error { _, err := q.Peek(t.Context(), hook.StateReady, 0, 1); return err },
	} {
		if err := look(); !isCode(err, amqp.NotFound) {
			t.Errorf("%s without queues: %v", name, err)
		}
	}
	edge := open(t, broker(t).Addr, func(o *Options) { o.Prefix = q.opts.Prefix })
	mustPublish(t, edge, sample("evt"))
	count(t, q, hook.Counts{Ready: 1})
}

func TestALookGoesPastServersThatAreDownOrStandStill(t *testing.T) {
	down, still := servers.NewProxy(t, broker(t).Addr), servers.NewProxy(t, broker(t).Addr)
	down.Refuse()
	still.StallDown()
	q := unstarted(t, func(o *Options) {
		o.Prefix = prefix(t)
		o.Servers = append(o.Servers, Server{Addr: down.Addr}, Server{Addr: still.Addr})
	})
	open(t, broker(t).Addr, func(o *Options) { o.Prefix = q.opts.Prefix })
	for range len(q.opts.Servers) { // each is the first to be asked once
		if _, err := q.Counts(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := Verify(t.Context(), TopologyOptions{Options: q.opts}); err != nil {
			t.Error(err)
		}
	}
}

func TestALookBeginsAnewWhereAConnectionIsNotAnswered(t *testing.T) {
	addr := broker(t).Addr
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		silent, err := l.Accept()
		if err != nil {
			return
		}
		defer silent.Close()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(s, c); _ = s.Close() }()
			go func() { _, _ = io.Copy(c, s); _ = c.Close() }()
		}
	}()
	q := unstarted(t, func(o *Options) { o.Prefix, o.Servers = prefix(t), []Server{{Addr: l.Addr().String()}} })
	open(t, addr, func(o *Options) { o.Prefix = q.opts.Prefix })
	if _, err := q.Counts(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestALookEndsInTime(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	q := unstarted(t, func(o *Options) { o.Servers[0].Addr = proxy.Addr })
	for name, fault := range map[string]func(){"silent": proxy.StallDown, "deaf": proxy.StallUp, "gone": proxy.Refuse} {
		fault()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begin := time.Now()
		if _, err := q.Counts(ctx); !errors.Is(err, hook.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := q.Peek(ctx, hook.StateDead, 0, 1); !errors.Is(err, hook.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if d := time.Since(begin); d > 5*time.Second {
			t.Errorf("%s: it took %s", name, d)
		}
		proxy.Resume()
	}
}
