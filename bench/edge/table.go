package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// writeTable writes the report for people.
func (r *report) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n\n", r.head())
	if len(r.Variants) > 0 {
		if err := r.writeVariants(w); err != nil {
			return err
		}
	}
	if r.Consumer != nil {
		if err := r.Consumer.writeTable(w); err != nil {
			return err
		}
	}
	if r.Settings.Profiled {
		fmt.Fprintln(w, "profiles were taken, which costs a little itself")
	}
	return nil
}

func (r *report) writeVariants(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trequests/s\tCPU us\tratio\tgoal\tcore\tp50 ms\tp99\tp99.9\tmax\tmemory MB\tnot 202\tlate\taccepted\tin queue\t")
	for _, v := range r.Variants {
		m := v.Median
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%s\t%.0f%%\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%d\t%d\t%s\t%s\t\n",
			v.Title, humanize.Comma(int64(m.PerSecond+0.5)), m.CPU, or(m.Ratio > 0, fmt.Sprintf("%.2f", m.Ratio)),
			or(v.MaxRatio > 0, fmt.Sprintf("%.1f", v.MaxRatio)), m.Core, m.P50, m.P99, m.P999, m.Max,
			float64(m.Memory)/1e6, m.Failed, m.Late, humanize.Comma(int64(m.Accepted)),
			or(v.Name != "bare", humanize.Comma(int64(m.Queued))))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, v := range r.Variants {
		m := v.Median
		if v.MaxRatio > 0 && m.Ratio > 0 {
			fmt.Fprintf(w, "%s: %s\n", v.Title, goals(v))
		}
		if m.Claims > 0 && m.Claims < m.Accepted {
			fmt.Fprintf(w, "%s: %s events without a claim in Redis\n", v.Title, strconv.Itoa(m.Accepted-m.Claims))
		}
	}
	return nil
}

// goals says how far the goals are reached.
func goals(v variantReport) string {
	m := v.Median
	cpu, memory := "reached", "reached"
	if m.Ratio > v.MaxRatio {
		cpu = fmt.Sprintf("missed by %.0f%%", 100*(m.Ratio/v.MaxRatio-1))
	}
	if m.Memory > maxMemory {
		memory = "missed"
	}
	return fmt.Sprintf("CPU at most %.1f times that of bare Caddy: %s; at most %d MB of anonymous memory: %s", v.MaxRatio, cpu, maxMemory/1_000_000, memory)
}

// or returns a cell, or a dash where there is nothing to say.
func or(ok bool, cell string) string {
	if ok {
		return cell
	}
	return "-"
}
