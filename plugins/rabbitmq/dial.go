package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// errNoHandshake means that the server took the connection and did not say its
// part in time.
var errNoHandshake = errors.New("no handshake")

// dial connects to a server, within the time for a handshake.
func (q *Queue) dial(ctx context.Context, s Server) (_ *amqp.Connection, _ *conn, err error) {
	creds, err := q.opts.Credentials(ctx)
	if err != nil {
		return nil, nil, err
	}
	d := net.Dialer{
		Timeout:         dialTimeout,
		Control:         controlSocket,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	raw, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, nil, err
	}
	nc := newConn(raw)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	// The library's handshake knows no context: closing the socket ends it.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			_ = raw.Close()
			if ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", errNoHandshake, ctx.Err())
			}
		}
	}()
	var transport net.Conn = nc
	if q.opts.TLS != nil {
		cfg := q.opts.TLS.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName = s.Host
		}
		client := tls.Client(nc, cfg)
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, nil, fmt.Errorf("TLS: %w", err)
		}
		transport = client
	}
	properties := amqp.NewConnectionProperties()
	properties["product"] = "Hookgate"
	properties.SetClientConnectionName(q.opts.Prefix + " " + q.opts.Role)
	c, err := amqp.Open(transport, amqp.Config{
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: creds.Username, Password: creds.Password}},
		Vhost:      q.opts.Vhost,
		Heartbeat:  heartbeat,
		FrameSize:  128 << 10,
		Locale:     "en_US",
		Properties: properties,
	})
	if err != nil {
		return nil, nil, handshakeError(err)
	}
	return c, nc, nil
}

// dialAny connects to the first server in turn that answers, or returns why the
// last one does not. One that stands still does not keep it from the next.
func (q *Queue) dialAny(ctx context.Context) (*amqp.Connection, *conn, error) {
	for range len(q.opts.Servers) - 1 {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		c, nc, err := q.dial(ctx, q.nextServer())
		cancel()
		if err == nil {
			return c, nc, nil
		}
	}
	return q.dialPatiently(ctx, q.nextServer())
}

// dialPatiently is dial for those who have one attempt. It begins anew where a
// server does not answer: RabbitMQ looks up the name of its own host for each
// connection, unless a name of the cluster is set, and a resolver may lose a
// question and be asked again after five seconds (resolv.conf(5)).
func (q *Queue) dialPatiently(ctx context.Context, s Server) (*amqp.Connection, *conn, error) {
	first, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, nc, err := q.dial(first, s)
	if err == nil || first.Err() == nil {
		return c, nc, err
	}
	return q.dial(ctx, s)
}

// handshakeError says what the server's refusal means.
func handshakeError(err error) error {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return err
	}
	switch e.Code {
	case amqp.AccessRefused:
		return fmt.Errorf("user or password refused: %w", err)
	case amqp.NotAllowed:
		return fmt.Errorf("the virtual host is not there, or not for this user: %w", err)
	}
	return err
}
