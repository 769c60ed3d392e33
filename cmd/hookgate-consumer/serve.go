package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// server answers /metrics, /healthz and /readyz.
type server struct {
	http *http.Server
	addr string
}

// report is the answer of /healthz and /readyz. It names no address and no
// secret.
type report struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	Outage  bool     `json:"outage,omitempty"` // the downstream is down: that is no reason to restart this
}

// serve begins to answer. It returns a server that does nothing where none is
// wanted.
func (p *program) serve() (*server, error) {
	if p.s.metrics == "" {
		return new(server), nil
	}
	l, err := net.Listen("tcp", p.s.metrics)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, report{Status: "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		rep := p.ready()
		status := http.StatusOK
		if len(rep.Reasons) > 0 {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, rep)
	})
	srv := &server{addr: l.Addr().String(), http: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}}
	go func() { _ = srv.http.Serve(l) }()
	p.log.Info("answering /metrics, /healthz and /readyz", zap.String("address", srv.addr))
	return srv, nil
}

func (s *server) close() {
	if s.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}

// ready says whether events can be processed now.
func (p *program) ready() report {
	st := p.loop.Status()
	rep := report{Status: "ready", Outage: st.Outage}
	if !st.Running {
		rep.Reasons = append(rep.Reasons, "consumer: not running")
	}
	if p.source.Ready() != nil { // the error may name an address
		rep.Reasons = append(rep.Reasons, "queue: it cannot be used; the log says why")
	}
	if p.inbox != nil {
		if err := p.inbox.Ready(); err != nil {
			rep.Reasons = append(rep.Reasons, "inbox: "+err.Error())
		} else if st.NoInbox {
			rep.Reasons = append(rep.Reasons, "inbox: it does not answer")
		}
	}
	if len(rep.Reasons) > 0 {
		rep.Status = "unavailable"
	}
	return rep
}

func answer(w http.ResponseWriter, status int, rep report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(rep)
}
