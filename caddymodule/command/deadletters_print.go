package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/hookgate/hookgate/deadletter"
)

// maxCell is how many characters of a message a table has.
const maxCell = 90

// lettersTable prints letters, a line each.
type lettersTable struct {
	tw     *tabwriter.Writer
	values bool
	begun  bool
}

func newLettersTable(w io.Writer, values bool) *lettersTable {
	return &lettersTable{tw: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), values: values}
}

func (t *lettersTable) add(r *deadletter.Record) {
	event, name := r.EventDigest, "EVENT (DIGEST)"
	if t.values {
		event, name = printable(r.EventID), "EVENT ID"
	}
	if !t.begun {
		t.begun = true
		fmt.Fprintf(t.tw, "ID\tFAILED\tHOOK\tKIND\tSTATUS\tATTEMPTS\tREPLAY\t%s\tBYTES\tMESSAGE\n", name)
	}
	fmt.Fprintf(t.tw, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%d\t%s\n", r.ID, moment(r.FailedAt), printable(r.Hook), printable(string(r.Kind)),
		statusCell(r.Status), r.Attempts, r.Replay, event, r.Size, cell(r.Message))
	if t.values {
		fmt.Fprintf(t.tw, "\t%s\n", bodyText(r))
	}
}

func (t *lettersTable) flush() error { return t.tw.Flush() }

func printGroups(w io.Writer, groups []deadletter.Group, asJSON bool) error {
	if asJSON {
		for i := range groups {
			if err := printLine(w, &groups[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(groups) == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "LETTERS\tHOOK\tKIND\tSTATUS\tFIRST\tLAST\tEXAMPLE\tMESSAGE\n")
	for i := range groups {
		g := &groups[i]
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.Count, printable(g.Hook), printable(string(g.Kind)), statusCell(g.Status),
			moment(g.First), moment(g.Last), g.Example, cell(g.Message))
	}
	return tw.Flush()
}

// printLetter prints all of a letter.
func printLetter(w io.Writer, r *deadletter.Record, values bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(tw, "%s\t%s\n", name, value)
		}
	}
	row("letter", r.ID)
	row("hook", printable(r.Hook))
	row("kind", printable(string(r.Kind)))
	row("message", printable(r.Message))
	if r.Status != 0 {
		row("status", strconv.Itoa(r.Status))
	}
	for _, v := range r.Violations {
		row("violation", printable(v.Pointer+" "+v.Code))
	}
	row("attempts", strconv.Itoa(r.Attempts))
	row("replay", strconv.Itoa(r.Replay))
	row("received", moment(r.ReceivedAt))
	row("failed first", moment(r.FirstFailedAt))
	row("failed", moment(r.FailedAt))
	row("event digest", r.EventDigest)
	row("event ID", printable(r.EventID))
	row("client", printable(r.ClientIP)) // a zone may hold anything
	row("contract", printable(r.Contract))
	row("exchange", printable(r.Exchange))
	row("routing key", printable(r.RoutingKey))
	row("queue", printable(r.Queue))
	row("task", printable(r.Task))
	row("edit of", printable(r.Replaces))
	row("trace", printable(r.Traceparent))
	row("content type", printable(r.ContentType))
	row("fingerprint", r.Fingerprint)
	hint := "; --show-values shows it"
	if values {
		hint = ":"
	}
	row("body", count(r.Size, "byte")+hint)
	if err := tw.Flush(); err != nil {
		return err
	}
	if values {
		fmt.Fprintln(w, bodyText(r))
	}
	_, err := fmt.Fprintln(w)
	return err
}

// bodyText is a body that does not steer a terminal: JSON in its lines, anything
// else quoted.
func bodyText(r *deadletter.Record) string {
	switch {
	case r.Body == nil:
		return strconv.Quote(string(r.BodyBase64))
	case !json.Valid([]byte(*r.Body)):
		return strconv.Quote(*r.Body)
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, []byte(*r.Body)) // it is valid
	return visible(compact.Bytes())
}

// moment is a time as a person reads it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

func statusCell(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// cell shortens a text to what a table has room for.
func cell(s string) string {
	if runes := []rune(s); len(runes) > maxCell {
		s = string(runes[:maxCell-3]) + "..."
	}
	return printable(s)
}
