package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// late is when an answer is of no use any more: senders give up.
const late = 500 * time.Millisecond

// goodbye is how long the last answers are waited for.
const goodbye = 2 * time.Second

// load sends requests over a number of connections, on each one the next as
// soon as the last is answered.
type load struct {
	addr     string
	measured atomic.Bool // answers count towards the figures now
	done     atomic.Bool
	senders  []*sender
	running  sync.WaitGroup
}

// tally is what became of requests.
type tally struct {
	accepted int             // 202, all the time
	failed   int             // anything else, or no answer, all the time
	late     int             // answered too late, all the time
	slowest  time.Duration   // of all the time
	statuses map[int]int     // of what failed; 0 is no answer
	took     []time.Duration // of each request measured, in no order
}

// sender is one connection.
type sender struct {
	load     *load
	requests *requests
	tally    tally
	in       *bufio.Reader // of conn; nil when one is to be dialed

	mu   sync.Mutex
	conn net.Conn // guarded by mu: others close it
}

func newSender(l *load) *sender {
	return &sender{load: l, requests: newRequests(l.addr), tally: tally{statuses: make(map[int]int)}}
}

// startLoad begins to send. stop ends it.
func startLoad(addr string, connections int) *load {
	l := &load{addr: addr}
	for range connections {
		s := newSender(l)
		// Room for what is to come: growing is work at the wrong time.
		s.tally.took = make([]time.Duration, 0, 1<<14)
		l.senders = append(l.senders, s)
		l.running.Go(s.run)
	}
	return l
}

// measure counts what is answered from now on for as long as d, or until the
// context ends.
func (l *load) measure(ctx context.Context, d time.Duration) {
	l.measured.Store(true)
	sleep(ctx, d)
	l.measured.Store(false)
}

// stop ends the load and returns what became of it, sorted by time.
func (l *load) stop() tally {
	l.done.Store(true)
	timer := time.AfterFunc(goodbye, func() {
		for _, s := range l.senders {
			s.hangUp()
		}
	})
	l.running.Wait()
	timer.Stop()
	sum := tally{statuses: make(map[int]int)}
	for _, s := range l.senders {
		sum.add(&s.tally)
	}
	slices.Sort(sum.took)
	return sum
}

func (t *tally) add(o *tally) {
	t.accepted += o.accepted
	t.failed += o.failed
	t.late += o.late
	t.slowest = max(t.slowest, o.slowest)
	t.took = append(t.took, o.took...)
	for status, n := range o.statuses {
		t.statuses[status] += n
	}
}

// probe sends one request over a connection of its own.
func probe(addr string) tally {
	s := newSender(&load{addr: addr})
	timer := time.AfterFunc(goodbye, s.hangUp)
	defer timer.Stop()
	defer s.hangUp()
	s.send()
	return s.tally
}

func (s *sender) run() {
	defer s.hangUp()
	for !s.load.done.Load() {
		if !s.send() {
			time.Sleep(10 * time.Millisecond) // a server that is gone is no busy loop
		}
	}
}

// send sends a request and reads the answer, whatever it is. It reports
// whether there was one.
func (s *sender) send() bool {
	if s.in == nil && !s.dial() {
		s.count(0, 0)
		return false
	}
	request := s.requests.request()
	begin := time.Now()
	_, err := s.conn.Write(request)
	status := 0
	if err == nil {
		status, err = readAnswer(s.in)
	}
	s.count(status, time.Since(begin))
	if err != nil {
		s.hangUp()
		s.in = nil
	}
	return err == nil
}

func (s *sender) dial() bool {
	conn, err := net.Dial("tcp", s.load.addr)
	if err != nil {
		return false
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	s.in = bufio.NewReader(conn)
	return true
}

func (s *sender) count(status int, took time.Duration) {
	t := &s.tally
	if status == http.StatusAccepted {
		t.accepted++
	} else { // also 200: no event is sent twice, so none is a duplicate
		t.failed++
		t.statuses[status]++
	}
	if took > late {
		t.late++
	}
	t.slowest = max(t.slowest, took)
	if s.load.measured.Load() {
		t.took = append(t.took, took)
	}
}

func (s *sender) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
