package embedded

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// BenchmarkAccept64 accepts events of 1 KB from 64 callers at once, one in ten
// of them a duplicate.
func BenchmarkAccept64(b *testing.B) {
	db := open(b, Options{})
	const callers = 64
	var (
		next    atomic.Int64
		wg      sync.WaitGroup
		samples [callers][]time.Duration
	)
	body := make([]byte, 1024)
	b.ResetTimer()
	begin := time.Now()
	for caller := range callers {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				id := fmt.Sprint("evt_", n-n%10/9)
				ev := event(id, body)
				at := time.Now()
				if _, _, err := db.Accept(b.Context(), claim(id, ev.Fingerprint), ev, nil); err != nil {
					b.Error(err)
					return
				}
				samples[caller] = append(samples[caller], time.Since(at))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	b.StopTimer()
	var all []time.Duration
	for _, s := range samples {
		all = append(all, s...)
	}
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/elapsed.Seconds(), "accepts/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
}

func event(id string, body []byte) *hook.Event {
	return &hook.Event{
		ID: id, Hook: "pe-action-map", RoutingKey: "pe-action-map", Contract: "pe-action-map/1",
		ContentType: "application/json", Body: body, ReceivedAt: time.Now(),
	}
}

func claim(id string, fp hook.Fingerprint) hook.Claim {
	return hook.Claim{
		Key: hook.EventKey("pe-action-map", id), Token: hook.NewToken(), Fingerprint: fp,
		Lease: 2 * time.Second, TTL: 48 * time.Hour,
	}
}
