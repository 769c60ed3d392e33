package embedded

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// BenchmarkAccept64 has 64 callers accept events with bodies of 1 KB, each the
// next one as soon as the last one is accepted.
func BenchmarkAccept64(b *testing.B) { benchmarkAccept(b, 64, nil) }

// BenchmarkAccept64Busy has them do something else first, as the edge does: it
// reads a request and its contract.
func BenchmarkAccept64Busy(b *testing.B) {
	junk := make([]byte, 48<<10)
	benchmarkAccept(b, 64, func() { sha256.Sum256(junk) })
}

// BenchmarkAccept10 and BenchmarkAccept1 show that few do not wait for many.
func BenchmarkAccept10(b *testing.B) { benchmarkAccept(b, 10, nil) }
func BenchmarkAccept1(b *testing.B)  { benchmarkAccept(b, 1, nil) }

func benchmarkAccept(b *testing.B, callers int, work func()) {
	d := started(b, Options{MaxSize: 1 << 40})
	body := bytes.Repeat([]byte("x"), 1024)
	var (
		next atomic.Int64
		took = make([][]time.Duration, callers)
		wg   sync.WaitGroup
	)
	cpu := cpuTime()
	b.ResetTimer()
	for n := range callers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				if work != nil {
					work()
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
	cpu = cpuTime() - cpu
	all := slices.Sorted(func(yield func(time.Duration) bool) {
		for _, ts := range took {
			for _, t := range ts {
				if !yield(t) {
					return
				}
			}
		}
	})
	ms := func(t time.Duration) float64 { return float64(t) / float64(time.Millisecond) }
	s := d.Stats()
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "accepts/s")
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(float64(s.Operations)/float64(s.Batches), "accepts/commit")
	b.ReportMetric(float64(cpu)/float64(time.Microsecond)/float64(b.N), "cpu-us/op")
}

// cpuTime is the time that the process has computed, with the kernel's for it.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
