package accept

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// A process that stops gives up the requests which take too long, and they go on
// beside its end. These tests are about a panic in a goroutine of its own, which
// nobody could recover: they look for it many times.
const outlived = 1000

// gated is a store that releases claims once it may.
type gated struct {
	hook.Store
	asked chan<- struct{}
	may   <-chan struct{}
}

func (s gated) Release(context.Context, hook.Claim) error {
	s.asked <- struct{}{}
	<-s.may
	return nil
}

func TestCallsThatOutliveACoreDoNotPanic(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range outlived {
		asked, may := make(chan struct{}, 8), make(chan struct{})
		c, err := New(Options{Store: gated{newFakeStore(), asked, may}})
		if err != nil {
			t.Fatal(err)
		}
		var calls, begun sync.WaitGroup
		begun.Add(8)
		for i := range 8 {
			calls.Go(func() {
				claim := hook.Claim{Key: string(rune('a' + i)), Token: hook.NewToken(), Lease: time.Minute, TTL: time.Minute}
				_, _, _ = c.Do(context.Background(), claim, func(context.Context) error {
					begun.Done()
					if i > 0 {
						<-may
					}
					return errors.New("not done")
				})
			})
		}
		begun.Wait()
		<-asked
		_ = c.Close(over)
		close(may)
		calls.Wait()
	}
}

func TestEventsThatOutliveASpoolDoNotPanic(t *testing.T) {
	for range outlived {
		primary := newFakePrimary()
		primary.set(nil, func(context.Context, *hook.Event) error { return &hook.InDoubt{Fate: make(chan error)} })
		s, err := NewSpool(SpoolOptions{Primary: primary, Local: newFakeShelf(), Backlog: NewBacklog(), Avoid: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		var events sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			events.Go(func() {
				<-begin
				for range 32 {
					_, _ = s.Publish(context.Background(), event("1"))
				}
			})
		}
		close(begin)
		for s.waiters.Load() == 0 {
			runtime.Gosched()
		}
		_ = s.Close(t.Context())
		events.Wait()
	}
}
