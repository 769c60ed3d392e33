package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a consumer over a queue and an inbox in memory, in a bubble of virtual
// time.
type rig struct {
	t     *testing.T
	queue *fakeQueue
	src   *source
	inbox *fakeStore
	opts  Options
	c     *Consumer
	ran   chan error
	logs  *observer.ObservedLogs

	mu     sync.Mutex
	calls  []string                                        // events as the handler got them
	handle func(ctx context.Context, ev *hook.Event) error // nil for success
}

func inBubble(t *testing.T, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		r := &rig{t: t, queue: newFakeQueue(), inbox: newFakeStore(), logs: logs}
		r.src = r.queue.source()
		r.opts = Options{
			Source: r.src, Inbox: r.inbox, Logger: zap.New(core), Metrics: NewMetrics(),
			Handler: hook.HandlerFunc(r.called),
		}
		fn(r)
		if r.c != nil {
			if err := r.c.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for _, s := range r.queue.broken {
			t.Error(s)
		}
		// The bubble fails the test if a goroutine is left.
	})
}

func (r *rig) called(ctx context.Context, ev *hook.Event) error {
	r.mu.Lock()
	r.calls = append(r.calls, ev.ID)
	handle := r.handle
	r.mu.Unlock()
	if handle == nil {
		return nil
	}
	return handle(ctx, ev)
}

func (r *rig) on(handle func(ctx context.Context, ev *hook.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handle = handle
}

func (r *rig) handled() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// start runs the consumer. Past is how many events count as settled already, so
// that a test need not begin carefully.
func (r *rig) start(past int) {
	r.t.Helper()
	var err error
	if r.c, err = New(r.opts); err != nil {
		r.t.Fatal(err)
	}
	r.c.gate.careful = max(0, carefulFor-past)
	r.ran = make(chan error, 1)
	go func() { r.ran <- r.c.Run(context.Background()) }()
	synctest.Wait()
}

func (r *rig) want(what string, got, want any) {
	r.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// logged reports whether a message was logged.
func (r *rig) logged(text string) bool {
	return slices.ContainsFunc(r.logs.All(), func(e observer.LoggedEntry) bool { return strings.Contains(e.Message, text) })
}

func event(id string) *hook.Event {
	return &hook.Event{ID: id, Hook: "h", Body: []byte(`{"id":"` + id + `"}`), Fingerprint: hook.Fingerprint{1}, ReceivedAt: time.Now()}
}

func events(from, to int) (all []*hook.Event) {
	for i := from; i < to; i++ {
		all = append(all, event(fmt.Sprint("e", i)))
	}
	return all
}

var err503 = &hook.Fault{Kind: hook.KindTransient, Message: "the downstream answered 503", Status: 503}

// crowd counts how many are in it at once.
type crowd struct {
	mu        sync.Mutex
	now, most int
}

func (c *crowd) stay(d time.Duration) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	time.Sleep(d)
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
}

// peak returns the most that there were since it was asked last.
func (c *crowd) peak() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := c.most
	c.most = c.now
	return most
}
