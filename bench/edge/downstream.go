package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// downstream is the service that events are forwarded to. It takes them all.
type downstream struct {
	url    string
	server *http.Server

	mu    sync.Mutex
	first map[string]time.Time // when an event came, by its ID
	more  int                  // requests beyond the first for their event
}

func startDownstream() (*downstream, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &downstream{url: "http://" + l.Addr().String(), first: make(map[string]time.Time, 1<<18)}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = d.server.Serve(l) }()
	return d, nil
}

// ServeHTTP implements http.Handler.
func (d *downstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	id, now := r.Header.Get("Idempotency-Key"), time.Now()
	d.mu.Lock()
	if _, known := d.first[id]; known {
		d.more++
	} else {
		d.first[id] = now
	}
	d.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// count returns how many events came, and again how many requests beyond.
func (d *downstream) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.first)
}

func (d *downstream) again() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.more
}

// times returns when each event came.
func (d *downstream) times() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.first)
}

// await waits until so many events came.
func (d *downstream) await(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for d.count() < n {
		sleep(ctx, 20*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("of %d events %d came", n, d.count())
		}
	}
	return nil
}

func (d *downstream) close() { _ = d.server.Close() }
