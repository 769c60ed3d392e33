package handlers

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/plugins/postgres"
)

// Examine implements app.Examiner.
func (p *Postgres) Examine(ctx context.Context, x app.Examination, use app.Use) []doctor.Finding {
	all := postgres.ExamineOffline(p.opts.DSN)
	if x.Offline {
		n := doctor.Notes{About: all[0].About}
		n.Excuse("postgres.reach", "not asked: --offline")
		return append(all, n.List...)
	}
	opts := p.opts
	opts.Connections = use.Concurrency
	return append(all, postgres.ExamineHandler(ctx, opts, x.Timeout)...)
}

// Examine implements app.Examiner. It connects, and makes no request.
func (f *Forward) Examine(ctx context.Context, x app.Examination, _ app.Use) []doctor.Finding {
	u, err := url.Parse(f.opts.URL)
	if err != nil { // New has taken it
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	n := &doctor.Notes{About: net.JoinHostPort(u.Hostname(), port)}
	secure := u.Scheme == "https"
	switch {
	case secure:
		n.OK("consumer.tls", "TLS")
	case doctor.IsLoopback(n.About):
		n.OK("consumer.tls", "no TLS, on this machine")
	default:
		n.Warn("consumer.tls", "no TLS: events, which hold personal data, go over the network in clear", "write https://, unless nobody else is in that network")
	}
	if x.Offline {
		n.Excuse("consumer.reach", "not asked: --offline")
		return n.List
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil || proxy != nil {
		n.Excuse("consumer.reach", "it is reached through a proxy")
		return n.List
	}
	ctx, cancel := context.WithTimeout(ctx, x.Timeout)
	defer cancel()
	if err := reach(ctx, n.About, secure); err != nil {
		n.Fail("consumer.reach", err.Error(), "start it, or correct the URL: events wait, and are tried again, meanwhile")
		return n.List
	}
	n.OK("consumer.reach", "it takes connections")
	return n.List
}

// reach connects, and shakes hands.
func reach(ctx context.Context, addr string, secure bool) error {
	var conn net.Conn
	var err error
	if secure {
		conn, err = new(tls.Dialer).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return err
	}
	return conn.Close()
}

// Interface guards
var (
	_ app.Examiner = (*Postgres)(nil)
	_ app.Examiner = (*Forward)(nil)
)
