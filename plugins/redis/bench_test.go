package redis

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// BenchmarkClaim has callers claim free keys of a server on this machine.
func BenchmarkClaim(b *testing.B) {
	for _, callers := range []int{1, 8, 16, 64} {
		b.Run(strconv.Itoa(callers)+"callers", func(b *testing.B) { benchmarkClaim(b, callers) })
	}
}

func benchmarkClaim(b *testing.B, callers int) {
	s := open(b, server(b).Addr, func(o *Options) { o.Timeout = time.Second })
	var (
		next atomic.Int64
		took = make([][]time.Duration, callers)
		wg   sync.WaitGroup
		c    = claimOn("", 1, 1)
	)
	c.Lease = 100 * time.Millisecond // the keys go by themselves
	cpu := processorTime(b)
	before := s.Stats()
	b.ReportAllocs()
	b.ResetTimer()
	for n := range callers {
		wg.Go(func() {
			c := c
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				c.Key = "hookgate:h:" + strconv.FormatInt(i, 36)
				c.Token = hook.NewToken()
				begin := time.Now()
				if state, _, err := s.Claim(context.Background(), c); err != nil || state != hook.Ours {
					b.Error(state, err)
					return
				}
				took[n] = append(took[n], time.Since(begin))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	st := s.Stats()
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "claims/s")
	b.ReportMetric(float64(all[len(all)*99/100])/float64(time.Millisecond), "p99-ms")
	b.ReportMetric(float64(st.Claims-before.Claims)/float64(st.Batches-before.Batches), "claims/pipeline")
	b.ReportMetric(float64(processorTime(b)-cpu)/float64(time.Microsecond)/float64(b.N), "cpu-us/op")
	runtime.KeepAlive(s)
}

// processorTime is what this process, without the server, has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
