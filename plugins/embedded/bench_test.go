package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// BenchmarkAccept64 has 64 callers accept events with bodies of 1 KB.
func BenchmarkAccept64(b *testing.B) {
	const callers = 64
	d := started(b, Options{MaxSize: 1 << 40})
	body := bytes.Repeat([]byte("x"), 1024)
	var (
		next atomic.Int64
		took [callers][]time.Duration
		wg   sync.WaitGroup
	)
	b.ResetTimer()
	for n := range callers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				id := string(binary.AppendVarint([]byte("evt_"), i))
				ev := event(id)
				ev.Body = body
				c := claimOn(hook.EventKey("h", id), 0, 1)
				c.Token = hook.NewToken()
				begin := time.Now()
				if s, _, err := d.Accept(context.Background(), c, ev, nil); err != nil || s != hook.Ours {
					b.Error(s, err)
					return
				}
				took[n] = append(took[n], time.Since(begin))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Sorted(func(yield func(time.Duration) bool) {
		for _, ts := range took {
			for _, t := range ts {
				if !yield(t) {
					return
				}
			}
		}
	})
	s := d.Stats()
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "accepts/s")
	b.ReportMetric(float64(all[len(all)*99/100])/float64(time.Millisecond), "p99-ms")
	b.ReportMetric(float64(s.Operations)/float64(s.Batches), "accepts/commit")
}
