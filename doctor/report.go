package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
)

// Report is all that was found.
type Report struct {
	Findings []Finding      `json:"findings"`
	Counts   map[Status]int `json:"counts"`
}

// NewReport makes a report of findings, in their order.
func NewReport(all []Finding) Report {
	r := Report{Findings: slices.Clone(all), Counts: map[Status]int{OK: 0, Warn: 0, Fail: 0, Skipped: 0}}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for _, f := range all {
		r.Counts[f.Status]++
	}
	return r
}

// The exit codes of a report.
const (
	ExitWell    = 0
	ExitBad     = 1
	ExitPartial = 3
)

// ExitCode is 1 where something fails, and in a strict report also where there is
// a warning; else 3 where a check could not be made that could be made elsewhere;
// else 0.
func (r *Report) ExitCode(strict bool) int {
	switch {
	case r.Counts[Fail] > 0, strict && r.Counts[Warn] > 0:
		return ExitBad
	case slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Status == Skipped && !f.Excused }):
		return ExitPartial
	}
	return ExitWell
}

// WriteJSON writes the report in JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteTable writes the report for a person: a line for each check, and below
// what to do.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STATUS\tCHECK\tABOUT\tFOUND")
	for _, f := range r.Findings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Status, f.Check, cell(f.About), cell(f.Seen))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	for _, s := range []Status{Fail, Warn, Skipped} {
		for _, f := range r.Findings {
			if f.Status == s && f.Advice != "" {
				fmt.Fprintf(&b, "\n%s %s %s\n    %s.\n", f.Status, f.Check, cell(f.About), printable(f.Advice))
			}
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d warn, %d fail, %d skipped\n", r.Counts[OK], r.Counts[Warn], r.Counts[Fail], r.Counts[Skipped])
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

// printable keeps what a server says from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
