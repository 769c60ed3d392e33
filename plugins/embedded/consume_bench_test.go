package embedded

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// BenchmarkAcceptAndConsume has 64 callers accept events with bodies of 1 KB
// while 8 or 32 others process them, each by saying Done.
func BenchmarkAcceptAndConsume(b *testing.B) {
	for _, consumers := range []int{8, 32} {
		b.Run(strconv.Itoa(consumers), func(b *testing.B) { acceptAndConsume(b, consumers) })
	}
}

func acceptAndConsume(b *testing.B, consumers int) {
	const callers = 64
	d := started(b, Options{MaxSize: 1 << 40})
	d.Prefetch(4 * consumers)
	body := bytes.Repeat([]byte("x"), 1024)
	var (
		next, processed     atomic.Int64
		accepting, consumed sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(context.Background())
	b.ResetTimer()
	for range consumers {
		consumed.Go(func() {
			for {
				dl, err := d.Receive(ctx)
				if errors.Is(err, context.Canceled) {
					return
				}
				if err == nil {
					err = dl.Done(context.Background())
				}
				if err != nil {
					b.Error(err)
					return
				}
				if processed.Add(1) == int64(b.N) {
					cancel()
				}
			}
		})
	}
	for range callers {
		accepting.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				id := strconv.FormatInt(i, 10)
				ev := event(id)
				ev.Body = body
				c := claimOn(hook.EventKey("h", id), 0, 1)
				c.Token = hook.NewToken()
				if s, _, err := d.Accept(context.Background(), c, ev, nil); err != nil || s != hook.Ours {
					b.Error(s, err)
					return
				}
			}
		})
	}
	accepting.Wait()
	accepted := b.Elapsed()
	consumed.Wait()
	b.StopTimer()
	cancel()
	s := d.Stats()
	b.ReportMetric(float64(b.N)/accepted.Seconds(), "accepts/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "processed/s")
	b.ReportMetric(float64(s.Operations)/float64(s.Batches), "ops/commit")
	b.ReportMetric(float64(s.CommitTime)/float64(s.Batches)/float64(time.Millisecond), "ms/commit")
}
