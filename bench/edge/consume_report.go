package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// maxProcessing is the goal for the 99th percentile of the time from a 202 to
// the processing, in milliseconds.
const maxProcessing = 100

// consumerReport is the part of a report about the whole way.
type consumerReport struct {
	Rate   int              `json:"paced_events_per_second"`
	Median consumeFigures   `json:"median"` // counts are sums, and max is the greatest
	Rounds []consumeFigures `json:"rounds"`
}

func (c *consumerReport) sum() {
	of := func(get func(consumeFigures) float64) float64 {
		var values []float64
		for _, f := range c.Rounds {
			values = append(values, get(f))
		}
		return median(values)
	}
	m := consumeFigures{
		PerSecond: of(func(f consumeFigures) float64 { return f.PerSecond }),
		CPU:       of(func(f consumeFigures) float64 { return f.CPU }),
		P50:       of(func(f consumeFigures) float64 { return f.P50 }),
		P99:       of(func(f consumeFigures) float64 { return f.P99 }),
	}
	for _, f := range c.Rounds {
		m.Max = max(m.Max, f.Max)
		m.Memory = max(m.Memory, f.Memory)
		m.Paced += f.Paced
		m.Failed += f.Failed
		m.Accepted += f.Accepted
		m.Processed += f.Processed
		m.Again += f.Again
		m.Missing += f.Missing
	}
	c.Median = m
}

// problems returns what must not be: an event that was answered 202 and was not
// processed. After a failure the outcome may be unknown, and there may be more.
func (c *consumerReport) problems() (all []string) {
	for _, f := range c.Rounds {
		if f.Failed > 0 {
			all = append(all, fmt.Sprintf("consumer: %d answers were not 202", f.Failed))
		}
		if missing := max(f.Missing, f.Accepted-f.Processed); missing > 0 {
			all = append(all, fmt.Sprintf("consumer: %d events were answered 202 and not processed", missing))
		}
		if f.Failed == 0 && f.Processed > f.Accepted {
			all = append(all, fmt.Sprintf("consumer: %d events too many were processed", f.Processed-f.Accepted))
		}
	}
	return all
}

// writeTable writes it for people.
func (c *consumerReport) writeTable(w io.Writer) error {
	m := c.Median
	fmt.Fprintf(w, "\nedge, RabbitMQ and consumer, to a local downstream; the times are from the 202 to the processing, at %d events/s\n\n", c.Rate)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tevents/s\tCPU us\tp50 ms\tp99\tmax\tmemory MB\taccepted\tprocessed\tagain\t")
	fmt.Fprintf(t, "consumer\t%s\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%s\t%s\t%d\t\n",
		humanize.Comma(int64(m.PerSecond+0.5)), m.CPU, m.P50, m.P99, m.Max, float64(m.Memory)/1e6,
		humanize.Comma(int64(m.Accepted)), humanize.Comma(int64(m.Processed)), m.Again)
	if err := t.Flush(); err != nil {
		return err
	}
	goal := "reached"
	if m.P99 > maxProcessing {
		goal = "missed"
	}
	_, err := fmt.Fprintf(w, "\np99 from the 202 to the processing at most %d ms at %d events/s: %s\n", maxProcessing, c.Rate, goal)
	return err
}
