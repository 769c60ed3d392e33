package main

import (
	"cmp"
	"slices"
	"time"
)

// percentile returns the value that p percent of the sorted values do not
// exceed (the nearest rank), and 0 where there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(p / 100 * float64(len(sorted)))
	if float64(rank) < p/100*float64(len(sorted)) {
		rank++
	}
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle of the values, which it leaves as they are: of an
// even number the lower of the two, so that it is one that was measured.
func median[T cmp.Ordered](values []T) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
