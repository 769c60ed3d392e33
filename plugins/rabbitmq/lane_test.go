package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

func TestAChannelWhoseConfirmationsDoNotComeIsOpenedAnew(t *testing.T) {
	q := open(t, broker(t).Addr)
	mustPublish(t, q, sample("evt"))
	resume := suspend(t, q.routes.names.EventsIn)
	doubt, ok := isInDoubt(timely(t, q, sample("late")))
	if !ok {
		t.Fatal("it is not in doubt")
	}
	if fate, known := <-doubt.Fate; known {
		t.Errorf("its fate is known: %v", fate)
	}
	resume()
	mustPublish(t, q, sample("after"))
	if f := q.Stats().Failures; f != 0 {
		t.Errorf("%d connections lost", f)
	}
}

// A new channel may stand still from its first message on.
func TestANewChannelGetsOneMessageUntilItTakesOne(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	proxy.Refuse()
	q := begin(t, proxy.Addr, func(o *Options) {
		o.Servers = append(o.Servers, Server{Addr: broker(t).Addr})
	})
	eventually(t, "one connection is up", func() bool { return len(*q.lanes.Load()) == q.opts.Channels })
	eventually(t, "its channels have proved themselves", func() bool {
		mustPublish(t, q, sample("evt"))
		lanes := *q.lanes.Load()
		return lanes[0].took.Load() && lanes[1].took.Load()
	})
	proxy.Resume()
	eventually(t, "so is the other", func() bool { return len(*q.lanes.Load()) == 2*q.opts.Channels })
	proxy.StallDown()
	var (
		doubts  atomic.Int64
		senders sync.WaitGroup
	)
	for sender := range 8 { // who waits for a confirmation does not keep the others from theirs
		senders.Go(func() {
			for n := range 25 {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				_, err := q.Publish(ctx, sample(fmt.Sprintf("evt-%d-%d", sender, n)))
				cancel()
				if _, doubt := isInDoubt(err); doubt {
					doubts.Add(1)
				} else if err != nil {
					t.Errorf("evt-%d-%d: %v", sender, n, err)
				}
			}
		})
	}
	senders.Wait()
	if n := int(doubts.Load()); n != q.opts.Channels {
		t.Errorf("%d messages are in doubt, not one on each of %d new channels", n, q.opts.Channels)
	}
}

func TestAMessageWhoseConfirmationDoesNotComeEndsItsChannelAlone(t *testing.T) {
	q := open(t, broker(t).Addr, func(o *Options) { o.forgets = 2 * time.Second })
	ev := inNamedQueue(t, q)
	defer suspend(t, ev.Queue)()
	ev.ID = "late"
	doubt, ok := isInDoubt(timely(t, q, ev))
	if !ok {
		t.Fatal("it is not in doubt")
	}
	begin := time.Now()
	for i := 0; ; i++ { // its channel is busy with others, and confirms them
		mustPublish(t, q, sample(fmt.Sprintf("other-%d", i)))
		select {
		case fate, known := <-doubt.Fate:
			if known {
				t.Errorf("its fate is known: %v", fate)
			}
		default:
			if time.Since(begin) < 20*time.Second {
				continue
			}
			t.Error("it is awaited for ever")
		}
		break
	}
	if s := q.Stats(); s.Failures != 0 || s.Outstanding != 0 {
		t.Errorf("%d connections lost, %d messages awaited", s.Failures, s.Outstanding)
	}
}

func TestWhatAChannelForgotIsGivenUpWhereTheServerDoesNotCloseIt(t *testing.T) {
	q := open(t, broker(t).Addr, func(o *Options) { o.forgets = 2 * time.Second })
	mustPublish(t, q, sample("evt"))
	defer suspend(t, NamesOf(q.opts.Prefix).EventsIn)()
	doubt, ok := isInDoubt(timely(t, q, sample("late")))
	if !ok {
		t.Fatal("it is not in doubt")
	}
	defer suspendChannels(t)()
	select {
	case fate, known := <-doubt.Fate:
		if known {
			t.Errorf("its fate is known: %v", fate)
		}
	case <-time.After(stuckAfter - time.Second): // when another rule would end the channel
		t.Error("it is awaited for ever")
	}
}

// suspendChannels stops the server's part of all channels that are open.
func suspendChannels(t *testing.T) (resume func()) {
	t.Helper()
	all := func(do string) {
		broker(t).Ctl(t, "eval", "[catch sys:"+do+"(P) || P <- rabbit_channel:list_local()].")
	}
	all("suspend")
	resume = sync.OnceFunc(func() { all("resume") })
	t.Cleanup(resume)
	return resume
}
