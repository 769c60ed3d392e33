package faults

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

// scenario is something that goes wrong under load.
type scenario struct {
	name    string
	options options
	always  bool // it is part of the selection of "make test" too
	run     func(t *testing.T, s *site, l *load)
}

// long returns how long a fault lasts: as in life, or for some seconds.
func long(life time.Duration) time.Duration {
	if *all {
		return life
	}
	return min(life, 4*time.Second)
}

// during lets time go by under load.
func during(d time.Duration) { <-time.After(d) }

func TestNothingIsLostAndNothingHappensTwice(t *testing.T) {
	for _, sc := range scenarios() {
		if !sc.always && !*all {
			continue
		}
		t.Run(sc.name, func(t *testing.T) {
			s := newSite(t, sc.options)
			l := startLoad(t, s)
			l.flows(200)
			sc.run(t, s, l)
			l.flows(200)
			l.settle(sc.name)
		})
	}
}

func scenarios() []scenario {
	return []scenario{
		{name: "nothing", run: func(*testing.T, *site, *load) { during(long(20 * time.Second)) }},
		{name: "Redis suspended for 1 s", run: suspendRedis(time.Second)},
		{name: "Redis suspended for 5 s", run: suspendRedis(5 * time.Second)},
		{name: "Redis suspended for 30 s", run: suspendRedis(30 * time.Second)},
		{name: "Redis killed, back empty after 10 s", run: func(t *testing.T, s *site, l *load) {
			up := s.down("Redis")
			s.redis.Do("flushall")
			s.redis.Kill()
			during(long(10 * time.Second))
			s.redis.Restart()
			up()
		}},
		{name: "PostgreSQL suspended while it serves for Redis", run: func(t *testing.T, s *site, l *load) {
			up := s.down("Redis")
			s.redis.Kill()
			during(2 * time.Second)
			both := s.down("Redis and PostgreSQL")
			postgres.Suspend(t)
			during(long(10 * time.Second))
			postgres.Resume(t)
			both()
			during(2 * time.Second)
			s.redis.Restart()
			up()
		}},
		{name: "Redis and PostgreSQL killed for 10 s", run: func(t *testing.T, s *site, l *load) {
			up := s.down("Redis and PostgreSQL")
			s.redis.Kill()
			postgres.Kill()
			during(long(10 * time.Second))
			if err := postgres.Start(); err != nil {
				t.Fatal(err)
			}
			s.redis.Restart()
			up()
		}},
		{name: "RabbitMQ killed for 2 min", run: func(t *testing.T, s *site, l *load) {
			up := s.down("RabbitMQ")
			broker.Kill()
			during(long(2 * time.Minute))
			startBroker(t)
			up()
		}},
		{name: "RabbitMQ suspended for 30 s", run: func(t *testing.T, s *site, l *load) {
			up := s.down("RabbitMQ")
			broker.Signal(t, syscall.SIGSTOP)
			during(long(30 * time.Second))
			broker.Signal(t, syscall.SIGCONT)
			up()
		}},
		{name: "an edge killed while it drains its spool", run: killInDrain},
		{name: "the spool full", options: options{spool: "{\n\t\t\t\tmax_size 4MiB\n\t\t\t}"}, run: func(t *testing.T, s *site, l *load) {
			up := s.down("RabbitMQ")
			broker.Kill()
			edge.Eventually(t, 3*time.Minute, "the spool is full", func() bool { return l.seen("queue_unavailable") > 50 })
			startBroker(t)
			up()
		}},
		{name: "consumers killed 10 times", run: func(t *testing.T, s *site, l *load) {
			for i := range 10 {
				w := s.workers[i%len(s.workers)]
				w.kill()
				during(200 * time.Millisecond)
				w.run()
				during(500 * time.Millisecond)
			}
		}},
		{name: "edges killed 10 times", run: func(t *testing.T, s *site, l *load) {
			for i := range 10 {
				e := s.edges[i%len(s.edges)]
				up := s.down("an edge")
				e.Kill()
				during(200 * time.Millisecond)
				e.Run()
				up()
				during(500 * time.Millisecond)
			}
		}},
		{name: "Redis and RabbitMQ killed at random", always: true, run: killAtRandom},
	}
}

func suspendRedis(life time.Duration) func(*testing.T, *site, *load) {
	return func(_ *testing.T, s *site, _ *load) {
		up := s.down("Redis")
		s.redis.Suspend()
		during(long(life))
		s.redis.Resume()
		up()
	}
}

func startBroker(t *testing.T) {
	t.Helper()
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
}

// killInDrain kills an edge that has begun to send on what it has spooled.
func killInDrain(t *testing.T, s *site, l *load) {
	up := s.down("RabbitMQ")
	broker.Kill()
	during(long(20 * time.Second))
	before := s.spooled(t, 0)
	if before == 0 {
		t.Error("nothing was spooled")
	}
	startBroker(t)
	up()
	up = s.down("an edge")
	edge.Eventually(t, time.Minute, "it drains", func() bool { return s.spooled(t, 0) < before })
	left := s.spooled(t, 0)
	s.edges[0].Kill()
	t.Logf("killed with about %d of %d events in its spool", left, before)
	during(time.Second)
	s.edges[0].Run()
	up()
	edge.Eventually(t, time.Minute, "the spool is empty", func() bool { return s.spooled(t, 0) == 0 })
}

// killAtRandom kills both servers three times each, one or both at a time.
func killAtRandom(t *testing.T, s *site, l *load) {
	start := *seed
	if start == 0 {
		start = time.Now().UnixNano()
	}
	t.Logf("seed %d", start)
	r := rand.New(rand.NewPCG(uint64(start), 0))
	for round := range 3 {
		up := s.down(fmt.Sprintf("both, round %d", round+1))
		first, second := s.redis.Kill, broker.Kill
		if r.IntN(2) == 0 {
			first, second = second, first
		}
		first()
		during(time.Duration(r.Int64N(int64(2 * time.Second))))
		second()
		during(time.Duration(r.Int64N(int64(long(10 * time.Second)))))
		if r.IntN(2) == 0 {
			s.redis.Restart()
			startBroker(t)
		} else {
			startBroker(t)
			s.redis.Restart()
		}
		up()
		l.flows(100)
		during(young) // or the broker forgets what it has just been told
	}
}
