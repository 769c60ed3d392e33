package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// pacedConnections is how many connections the paced load has: enough that none
// is waited for.
const pacedConnections = 32

// paced is a load of a fixed rate, which knows when each event was answered.
type paced struct {
	addr string

	mu       sync.Mutex
	accepted map[string]time.Time // when the 202 was read, by event ID
	failed   int
}

func newPaced(addr string) *paced { return &paced{addr: addr, accepted: make(map[string]time.Time)} }

// run sends for as long as d. An event whose turn comes while all connections
// are busy is sent when one is free.
func (p *paced) run(ctx context.Context, perSecond int, d time.Duration) {
	turns := make(chan struct{}, perSecond)
	var senders sync.WaitGroup
	for range pacedConnections {
		senders.Go(func() {
			s := newSender(&load{addr: p.addr})
			defer s.hangUp()
			for range turns {
				p.send(s)
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for begin, sent := time.Now(), 0; time.Since(begin) < d && ctx.Err() == nil; <-tick.C {
		// A ticker drops what comes too late; the rate is kept all the same.
		for due := int(time.Since(begin).Seconds() * float64(perSecond)); sent < due; sent++ {
			turns <- struct{}{}
		}
	}
	close(turns)
	senders.Wait()
}

func (p *paced) send(s *sender) {
	id, status := "", 0
	if s.in != nil || s.dial() {
		request := s.requests.request()
		id = s.requests.last()
		_, err := s.conn.Write(request)
		if err == nil {
			status, err = readAnswer(s.in)
		}
		if err != nil {
			s.hangUp()
			s.in = nil
		}
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == http.StatusAccepted {
		p.accepted[id] = now
	} else {
		p.failed++
	}
}
