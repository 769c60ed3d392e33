package main

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		name   string
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		{"of none", nil, 99, 0},
		{"of one", []time.Duration{7}, 99.9, 7},
		{"the lowest", hundred, 0, 1},
		{"half", hundred, 50, 50},
		{"p99", hundred, 99, 99},
		{"p99.9 of a hundred is the last", hundred, 99.9, 100},
		{"the highest", hundred, 100, 100},
		{"rounds up", []time.Duration{1, 2, 3}, 50, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := percentile(c.sorted, c.p); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	if got := median(values); got != 5 {
		t.Errorf("of three: got %g, want 5", got)
	}
	if values[0] != 9 {
		t.Error("the values were moved")
	}
	if got := median([]int{4, 1, 3, 2}); got != 2 {
		t.Errorf("of four: got %d, want 2", got)
	}
	if got := median([]int(nil)); got != 0 {
		t.Errorf("of none: got %d, want 0", got)
	}
}
