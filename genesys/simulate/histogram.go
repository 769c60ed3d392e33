package simulate

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts latencies in microseconds, in 64 buckets for every doubling:
// a percentile is at most 1.6 % too high, and a run of any length takes the
// same memory.
type histogram struct {
	count   int
	max     time.Duration
	buckets [maxBucket + 1]int
}

const (
	maxMicros = 1<<32 - 1 // more than an hour
	maxBucket = 64*25 + 127
)

func (h *histogram) add(d time.Duration) {
	h.count++
	h.max = max(h.max, d)
	h.buckets[bucketOf(d)]++
}

// quantile returns the latency that a share q of all did not pass, by nearest
// rank; 0 where there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int(math.Ceil(q * float64(h.count)))
	seen := 0
	for i, n := range h.buckets {
		seen += n
		if n > 0 && seen >= rank {
			return min(h.max, upperBound(i))
		}
	}
	return 0
}

// bucketOf numbers the buckets: 0 to 127 hold one microsecond each, the next
// 64 hold two each, the next 64 four each, and so on.
func bucketOf(d time.Duration) int {
	us := uint64(min(max(d.Microseconds(), 0), maxMicros))
	shift := max(bits.Len64(us)-7, 0)
	return 64*shift + int(us>>shift)
}

// upperBound returns the largest latency of a bucket.
func upperBound(bucket int) time.Duration {
	shift := max(bucket/64-1, 0)
	next := (bucket - 64*shift + 1) << shift
	return time.Duration(next)*time.Microsecond - 1
}
