package faults

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hookgate/hookgate/integration/ledger"
)

// table is the checker's report: a row a scenario.
type table struct {
	mu   sync.Mutex
	rows []row
}

type row struct {
	name string
	ledger.Report
}

func (t *table) add(name string, r ledger.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, row{name, r})
}

var columns = []string{"fault", "events", "taken", "missing", "twice", "false", "p50 ms", "p99", "p99.9", "max", "late", "none", "recovery s", "other answers"}

func (r row) cells() []string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
	n := func(i int) string { return fmt.Sprint(i) }
	return []string{
		r.name, n(r.Events), n(r.Taken), n(len(r.Missing)), n(len(r.Twice)), n(len(r.False)),
		ms(r.P50), ms(r.P99), ms(r.P999), ms(r.Slowest), n(r.Late), n(r.Unanswered),
		fmt.Sprintf("%.1f", r.Recovery.Seconds()), others(r.Codes),
	}
}

// others returns the answers that were not accepted, by code.
func others(codes map[string]int) string {
	var words []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if code != "accepted" && code != "none" {
			words = append(words, fmt.Sprintf("%s %d", code, codes[code]))
		}
	}
	return cmp.Or(strings.Join(words, ", "), "none")
}

// print prints the report, and writes it where it was asked for.
func (t *table) print() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, r := range t.rows {
		fmt.Fprintln(w, strings.Join(r.cells(), "\t"))
	}
	if err := w.Flush(); err != nil || *markdown == "" {
		return err
	}
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(columns)
	line(slices.Repeat([]string{"---"}, len(columns)))
	for _, r := range t.rows {
		line(r.cells())
	}
	return os.WriteFile(*markdown, []byte(b.String()), 0o644)
}
