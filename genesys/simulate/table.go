package simulate

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	r.head(&b)
	r.answerTable(&b)
	r.latencyTable(&b)
	for _, note := range r.Notes() {
		fmt.Fprintln(&b, "-", note)
	}
	if len(r.Notes()) > 0 {
		fmt.Fprintln(&b)
	}
	fmt.Fprintln(&b, r.Verdict())
	_, err := w.Write(b.Bytes())
	return err
}

func (r *Report) head(b *bytes.Buffer) {
	fmt.Fprintln(b, r.URL)
	asked := "as fast as possible"
	if r.Rate > 0 {
		asked = fmt.Sprintf("asked %g/s", r.Rate)
	}
	fmt.Fprintf(b, "%s, %s in %s, %.1f events/s (%s), seed %d", plural(r.Events, "event", "events"),
		plural(r.Requests, "request", "requests"), r.Elapsed.Round(10*time.Millisecond), r.achieved(), asked, r.Seed)
	if r.Interrupted {
		fmt.Fprint(b, ", stopped early")
	}
	fmt.Fprint(b, "\n\n")
}

func (r *Report) answerTable(b *bytes.Buffer) {
	if len(r.Answers) == 0 {
		return
	}
	rows := [][]string{{"SENT", "STATUS", "CODE", "COUNT", "SHARE"}}
	for _, a := range r.Answers {
		rows = append(rows, []string{
			string(a.Sent), fmt.Sprint(a.Status), a.Code, fmt.Sprint(a.Count), fmt.Sprintf("%.1f%%", 100*a.Share),
		})
	}
	writeRows(b, rows)
}

func (r *Report) latencyTable(b *bytes.Buffer) {
	rows := [][]string{{"LATENCY", "COUNT", "P50 ms", "P90 ms", "P99 ms", "MAX ms", "LATE"}}
	for _, l := range r.Latencies {
		if l.Count == 0 {
			continue
		}
		name := string(l.Sent)
		if l.Sent == "" {
			name = "total"
		}
		rows = append(rows, []string{
			name, fmt.Sprint(l.Count), inMillis(l.P50), inMillis(l.P90), inMillis(l.P99), inMillis(l.Max), fmt.Sprint(l.Late),
		})
	}
	if len(rows) > 1 {
		writeRows(b, rows)
	}
}

// writeRows writes a table and an empty line after it.
func writeRows(b *bytes.Buffer, rows [][]string) {
	tw := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	_ = tw.Flush() // a bytes.Buffer does not fail
	b.WriteByte('\n')
}

func inMillis(d time.Duration) string { return fmt.Sprintf("%.1f", millis(d)) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
