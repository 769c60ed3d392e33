package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/hook"
)

// checkFlags are those of contract check.
type checkFlags struct {
	name, file           string
	strict, json, values bool
}

func newContractCheck() *cobra.Command {
	f := new(checkFlags)
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Holds files against a contract, as a hook would",
		Long: `Reads each file as the body of one request, and says what a hook would make of
it: its event, its drift, and what does not meet the contract. - is the standard
input. It asks no process and no server, so that it runs in CI.

Event IDs and bodies are personal data. They are shown only with --show-values;
otherwise there is the digest of the ID, as in the logs.

Exit codes:
  0  every file meets the contract
  1  one does not, or is no JSON, or has no event ID; with --strict: or has drifted
  2  the command line is wrong, or a file cannot be read`,
		Example: `  hookgate contract check payload.json
  hookgate contract check --contract open-messaging --strict payloads/*.json
  hookgate contract check --contract-file orders.schema.json --json --show-values order.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("give a file with the body of a request, or - for the standard input"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.register(cmd.Flags())
	return cmd
}

func (f *checkFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.name, "contract", "", "a built-in contract: "+strings.Join(contract.Names(), ", ")+" (default pe-action-map)")
	flags.StringVar(&f.file, "contract-file", "", "a file with a contract of your own")
	flags.BoolVar(&f.strict, "strict", false, "fail where a body has drifted, too")
	flags.BoolVar(&f.json, "json", false, "print JSON, one object a file")
	flags.BoolVar(&f.values, "show-values", false, "show personal data: event IDs, and bodies that were repaired")
}

// checked is what was found of one file.
type checked struct {
	File        string           `json:"file"`
	Contract    string           `json:"contract"`
	OK          bool             `json:"ok"` // it meets the contract
	EventDigest string           `json:"event_digest,omitempty"`
	EventID     string           `json:"event_id,omitempty"` // with --show-values
	Fingerprint string           `json:"fingerprint,omitempty"`
	Timestamp   string           `json:"timestamp,omitempty"`
	Code        hook.Code        `json:"code,omitempty"`
	Error       string           `json:"error,omitempty"`
	Violations  []hook.Violation `json:"violations,omitempty"`
	Drift       []hook.Drift     `json:"drift,omitempty"`
	WasRepaired bool             `json:"was_repaired,omitempty"`
	Repaired    string           `json:"repaired,omitempty"` // with --show-values
}

func (f *checkFlags) run(cmd *cobra.Command, files []string) error {
	c, err := f.contract()
	if err != nil {
		return usage(err)
	}
	reader, err := contract.NewReader(contract.Options{Contract: c})
	if err != nil {
		return usage(err)
	}
	bodies := make([][]byte, len(files))
	for i, file := range files {
		if bodies[i], err = readBody(cmd, file); err != nil {
			return usage(err)
		}
	}
	bad, drifted := 0, 0
	for i, file := range files {
		result := f.check(reader, file, c.ID(), bodies[i])
		switch {
		case !result.OK:
			bad++
		case len(result.Drift) > 0:
			drifted++
		}
		if err := f.print(cmd.OutOrStdout(), &result); err != nil {
			return err
		}
	}
	switch {
	case bad > 0:
		return fmt.Errorf("not what %s asks for: %d of %s", c.ID(), bad, countFiles(len(files)))
	case f.strict && drifted > 0:
		return fmt.Errorf("drifted from %s: %d of %s", c.ID(), drifted, countFiles(len(files)))
	}
	return nil
}

func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func (f *checkFlags) contract() (*contract.Contract, error) {
	switch {
	case f.name != "" && f.file != "":
		return nil, errors.New("--contract and --contract-file exclude each other")
	case f.file != "":
		return contract.Load(f.file)
	case f.name == "":
		return contract.Builtin("pe-action-map")
	}
	return contract.Builtin(f.name)
}

// maxChecked is how much of a file is read, in bytes: more than any hook takes.
const maxChecked = 64 << 20

func readBody(cmd *cobra.Command, file string) ([]byte, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxChecked+1))
	if err == nil && len(body) > maxChecked {
		err = fmt.Errorf("it has more than %d bytes", maxChecked)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return body, nil
}

func (f *checkFlags) check(reader *contract.Reader, file, id string, body []byte) checked {
	result := checked{File: file, Contract: id}
	doc, err := reader.Read(body)
	if err != nil {
		result.Code, result.Error = hook.CodeOf(err), err.Error()
		if e, ok := errors.AsType[*hook.Error](err); ok {
			result.Error = e.Detail
		}
		return result
	}
	result.OK = len(doc.Violations) == 0
	result.EventDigest, result.Fingerprint = hook.LogID(doc.ID), doc.Fingerprint.String()
	result.Violations, result.Drift, result.WasRepaired = doc.Violations, doc.Drift, doc.Repaired != nil
	if doc.HasTimestamp {
		result.Timestamp = doc.Timestamp.UTC().Format("2006-01-02T15:04:05.999999999Z07:00")
	}
	if f.values {
		result.EventID, result.Repaired = doc.ID, string(doc.Repaired)
	}
	return result
}

func (f *checkFlags) print(w io.Writer, c *checked) error {
	if f.json {
		raw, err := json.Marshal(c)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, visible(raw))
		return err
	}
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "%s: %s\n", printable(c.File), c.verdict())
	line("error", c.Error)
	if c.EventID != "" {
		line("event ID", printable(c.EventID))
	}
	line("event", c.EventDigest)
	line("fingerprint", c.Fingerprint)
	line("timestamp", c.Timestamp)
	for _, v := range c.Violations {
		line("violation", v.Code+" "+printable(v.Pointer))
	}
	for _, d := range c.Drift {
		line("drift", string(d.Kind)+" "+printable(d.Pointer))
	}
	if c.Repaired != "" {
		line("repaired", visible([]byte(c.Repaired)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict says in short what became of a file.
func (c *checked) verdict() string {
	switch {
	case c.Error != "":
		return string(c.Code)
	case !c.OK:
		return "does not meet " + c.Contract
	case c.WasRepaired:
		return "meets " + c.Contract + ", repaired"
	case len(c.Drift) > 0:
		return "meets " + c.Contract + ", with drift"
	}
	return "meets " + c.Contract
}
