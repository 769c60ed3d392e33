package main

import (
	"net/http/httptest"
	"os"
	"syscall"
	"testing"

	"github.com/hookgate/hookgate/integration/servers"
)

func TestAConsumerThatIsEndedUnderLoadLosesNothing(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	for _, c := range []struct {
		name   string
		signal os.Signal
		times  int
		again  int // events at work in each, which may come once more
	}{
		{"killed", os.Kill, 20, 8},
		{"terminated", syscall.SIGTERM, 10, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			prefix := "load-" + c.name
			q, redis := publisher(t, broker, prefix), servers.StartRedis(t)
			d := newDownstream()
			down := httptest.NewServer(d)
			t.Cleanup(down.Close)
			const events = 5000
			publishing := make(chan struct{})
			go func() { defer close(publishing); publishAll(t, q, "k", events) }()
			args := append([]string{"--queue", broker.URL(), "--inbox", "redis://" + redis.Addr, "--forward", down.URL, "--prefix", prefix}, short...)
			for i := range c.times {
				p := process(t, "quick", args...)
				// Amid the first events, which are taken one at a time, and amid
				// many, in turns.
				enough := d.got() + []int{1, 20, 60, 150}[i%4]
				eventually(t, "some have come", func() bool { return d.got() >= min(enough, events) })
				if err := p.end(c.signal); c.signal == syscall.SIGTERM && err != nil {
					t.Errorf("it ended with %v", err)
				}
			}
			if d.got() == events {
				t.Error("all had come before the last was ended: there was no load")
			}
			<-publishing
			p := process(t, "quick", args...)
			eventually(t, "all have come", func() bool { return d.got() == events })
			eventually(t, "nothing is left", func() bool { return waiting(t, broker, prefix) == 0 })
			if err := p.end(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if left, dead := waiting(t, broker, prefix), dead(t, q); left != 0 || dead != 0 {
				t.Errorf("%d are left, and %d dead letters", left, dead)
			}
			// With a downstream that takes each key once, the effects are there
			// once; what came again is what was at work.
			if again := d.again(); again > c.times*c.again {
				t.Errorf("%d came again", again)
			}
		})
	}
}
