package rabbitmq

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkPublish has callers publish events to a server on this machine.
func BenchmarkPublish(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(callers)+"callers", func(b *testing.B) { benchmarkPublish(b, callers) })
	}
}

func benchmarkPublish(b *testing.B, callers int) {
	q := open(b, broker(b).Addr)
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	cpu := processorTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			ev := sample("evt")
			ev.Header = nil
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				ev.ID = strconv.FormatInt(i, 36)
				if _, err := q.Publish(ctx, ev); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(processorTime(b)-cpu)/float64(time.Microsecond)/float64(b.N), "cpu-us/op")
	runtime.KeepAlive(q)
}

// processorTime is what this process, without the server, has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
