package app

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/consumer"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// fakeSource is a queue that hands out nothing.
type fakeSource struct {
	unready error
	fatal   error // ends whoever consumes
}

func (s *fakeSource) Ready() error { return s.unready }
func (s *fakeSource) Prefetch(int) {}
func (s *fakeSource) Receive(ctx context.Context) (hook.Delivery, error) {
	if s.fatal != nil {
		return nil, s.fatal
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// readyQueue is a store and a queue that can be used.
type readyQueue struct {
	hook.Store
	hook.Queue
}

func (readyQueue) Ready() error { return nil }

func TestAConsumerThatDoesNotWorkIsARemark(t *testing.T) {
	secret := errors.New("rabbitmq: 10.0.0.7:5672: no")
	for _, tc := range []struct {
		name   string
		source fakeSource
		want   []string
	}{
		{"one that works", fakeSource{}, nil},
		{"one without its queue", fakeSource{unready: secret}, []string{"consumer: it gets no events from the queue; the log says why"}},
		{"one that has ended", fakeSource{unready: secret, fatal: secret}, []string{"consumer: it has ended, and events wait; the log says why"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loop, err := consumer.New(consumer.Options{
					Source: &tc.source, NoInbox: true, Handler: hook.HandlerFunc(func(context.Context, *hook.Event) error { return nil }),
				})
				if err != nil {
					t.Fatal(err)
				}
				cs := &consumption{loop: loop, source: &tc.source, logger: zap.NewNop(), done: make(chan struct{})}
				rt := &Runtime{Store: readyQueue{}, Queue: readyQueue{}, consumer: cs}
				if err := cs.start(); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := rt.Remarks(); !slices.Equal(got, tc.want) {
					t.Errorf("got %q, want %q", got, tc.want)
				}
				if reasons := rt.Unready(); len(reasons) > 0 {
					t.Errorf("the edge takes no events: %q", reasons)
				}
				cs.end()
				if got := rt.Remarks(); tc.want == nil && got != nil {
					t.Errorf("when it was told to end: %q", got)
				}
			})
		})
	}
}

func TestTheMetricsAreThoseOfTheNewestSourceThatIsOpen(t *testing.T) {
	q := RabbitMQQueue{URLs: []string{"amqp://127.0.0.1:1"}}
	if err := q.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	open := func() (*rabbitmq.Source, func()) {
		t.Helper()
		source, h, err := q.OpenSource(Env{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		return source.(*rabbitmq.Source), func() {
			if err := h.Release(); err != nil {
				t.Error(err)
			}
		}
	}
	want := func(when string, source *rabbitmq.Source) {
		t.Helper()
		if rabbitSources.newest() != source {
			t.Errorf("%s it is another", when)
		}
	}
	want("before there is one", nil)
	running, releaseRunning := open()
	want("with one", running)
	failing, releaseFailing := open()
	want("while another config starts", failing)
	releaseFailing()
	want("when that has failed", running)
	next, releaseNext := open()
	releaseRunning()
	want("after a reload", next)
	releaseNext()
	want("in the end", nil)
}
