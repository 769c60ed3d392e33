package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

func TestTwoConsumersWithTheTwoCopiesOfAnEventProcessItOnce(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	_, flags, rows := database(t)
	redis := servers.StartRedis(t)
	d := newDownstream()
	d.slow = 20 * time.Millisecond // so that both have a copy at once
	down := httptest.NewServer(d)
	t.Cleanup(down.Close)
	for _, c := range []struct {
		name  string
		flags []string
		came  func() int
	}{
		{"forwarded", []string{"--forward", down.URL, "--inbox", "redis://" + redis.Addr}, d.got},
		{"written", flags(""), func() int { return rows("%") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := "copies-" + c.name
			q := publisher(t, broker, prefix)
			args := append(append([]string{"--queue", broker.URL(), "--prefix", prefix, "--prefetch", "1"}, c.flags...), short...)
			one, _ := begin(t, nil, args...)
			two, _ := begin(t, nil, args...)
			const events = 150
			for i := range events {
				id := fmt.Sprint("c", i)
				publish(t, q, id)
				publish(t, q, id)
			}
			eventually(t, "all is settled", func() bool { return c.came() == events && waiting(t, broker, prefix) == 0 })
			eventually(t, "each copy is accounted for", func() bool {
				return one.results("processed")+two.results("processed") == events && one.results("duplicate")+two.results("duplicate") == events
			})
			if one.results("processed") == 0 || two.results("processed") == 0 {
				t.Error("one of them has done nothing")
			}
			if n := c.came(); n != events || d.again() != 0 || dead(t, q) != 0 {
				t.Errorf("%d came, %d again, %d dead letters", n, d.again(), dead(t, q))
			}
		})
	}
}

func TestAnotherBodyUnderAnIDThatWasProcessedIsADeadLetter(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	_, flags, rows := database(t)
	redis := servers.StartRedis(t)
	for name, handler := range map[string][]string{
		"logged": {"--forward", "log", "--inbox", "redis://" + redis.Addr}, "written": flags(""),
	} {
		t.Run(name, func(t *testing.T) {
			prefix := "conflict-" + name
			q := publisher(t, broker, prefix)
			out, _ := begin(t, nil, append([]string{"--queue", broker.URL(), "--prefix", prefix}, handler...)...)
			publish(t, q, "evt")
			eventually(t, "it is processed", func() bool { return out.results("processed") == 1 })
			// To the edge it is a new event when its own record has expired.
			other := &hook.Event{ID: "evt", Hook: "h", ContentType: "application/json", Body: []byte(`{"other":1}`), Fingerprint: hook.Fingerprint{2}, ReceivedAt: time.Now()}
			eventually(t, "another is taken", func() bool {
				_, err := q.Publish(context.Background(), other)
				return err == nil
			})
			eventually(t, "it is a letter", func() bool { return dead(t, q) == 1 })
			l := buried(t, q)[0]
			if l.Fault.Kind != hook.KindConflict || l.Event.Fingerprint != other.Fingerprint || string(l.Event.Body) != `{"other":1}` {
				t.Errorf("%+v", l)
			}
			if n := rows("evt"); name == "written" && n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}
