package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/ipranges"
	"github.com/hookgate/hookgate/genesys/provision"
)

// rangesFlags are those of genesys ip-ranges.
type rangesFlags struct {
	conn     *genesysConn
	services []string
	format   string
	output   string
	diff     string
}

// lastRanges stands for the ranges that this command saw the last time.
const lastRanges = "last"

func newGenesysRanges(c *genesysConn) *cobra.Command {
	f := &rangesFlags{conn: c}
	cmd := &cobra.Command{
		Use:   "ip-ranges",
		Short: "Shows the addresses that Genesys Cloud sends from",
		Long: `Shows the answer of GET /api/v2/ipranges without the entries for traffic towards
Genesys. The edge asks for it by itself where a hook has allow genesys; this is for
those who want to look, or to keep a file for allow file.

With --diff they are held against a file that --output wrote, or, without one,
against those that this command saw the last time on this machine. Where they
differ, the exit code is 1.

` + permissionHelp(provision.JobRanges),
		Example: `  hookgate genesys ip-ranges --service data-actions,open-messaging
  hookgate genesys ip-ranges --service data-actions --format caddyfile
  hookgate genesys ip-ranges --diff
  hookgate genesys ip-ranges --diff=/etc/hookgate/ipranges.json --output /etc/hookgate/ipranges.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.services, "service", nil, "only of this service; may stand several times (default all)")
	flags.StringVar(&f.format, "format", "table", "table, caddyfile or json; --json is the last one")
	flags.StringVar(&f.output, "output", "", "write them to this file too, in the form that allow file takes")
	flags.StringVar(&f.diff, "diff", "", "what has changed since this file; without a file: since the last time")
	flags.Lookup("diff").NoOptDefVal = lastRanges
	return cmd
}

func (f *rangesFlags) run(cmd *cobra.Command) error {
	if f.conn.json {
		f.format = "json"
	}
	if f.format != "table" && f.format != "caddyfile" && f.format != "json" {
		return usage(fmt.Errorf("--format is one of table, caddyfile, json, not %q", f.format))
	}
	client, err := f.conn.open()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, done := interruptible(cmd)
	defer done()
	raw, err := genesys.API{Sender: client}.IPRanges(ctx)
	if err != nil {
		return err
	}
	all, err := ipranges.Read(raw)
	if err != nil {
		return fmt.Errorf("what Genesys answers: %w", err)
	}
	entries := ipranges.Of(all, f.services)
	if len(entries) == 0 {
		return fmt.Errorf("no entry is for %s: there are some for %s", strings.Join(f.services, " and "), strings.Join(ipranges.Services(all), ", "))
	}
	before, err := f.before()
	if err != nil {
		return err
	}
	if err := f.keep(all, entries); err != nil {
		return err
	}
	if f.diff != "" {
		return printDiff(cmd.OutOrStdout(), before, entries, f.format == "json")
	}
	return printRanges(cmd.OutOrStdout(), entries, f.format)
}

// before reads what the ranges are held against.
func (f *rangesFlags) before() ([]ipranges.Entry, error) {
	file := f.diff
	if file == "" {
		return nil, nil
	}
	if file == lastRanges {
		var err error
		if file, err = f.lastFile(); err != nil {
			return nil, err
		}
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && f.diff == lastRanges {
		return nil, errors.New("this command has not seen any ranges on this machine before: the next --diff will have something to go by, once it has run without")
	}
	if err != nil {
		return nil, fmt.Errorf("--diff: %w", err)
	}
	entries, err := ipranges.Read(raw)
	if err != nil {
		return nil, fmt.Errorf("--diff: %s: %w", file, err)
	}
	return ipranges.Of(entries, f.services), nil
}

// lastFile is where this command keeps what it saw, for each host.
func (f *rangesFlags) lastFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	env, err := f.conn.environment()
	if err != nil {
		return "", err
	}
	host := "ipranges"
	if u, err := url.Parse(env.API); err == nil {
		host += "-" + strings.ReplaceAll(u.Host, ":", "-")
	}
	return filepath.Join(dir, "hookgate", host+".json"), nil
}

// keep writes the ranges for the next time, and to the file that was asked for.
func (f *rangesFlags) keep(all, chosen []ipranges.Entry) error {
	if file, err := f.lastFile(); err == nil { // a machine without such a folder has no last time
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err == nil {
			_ = writeRanges(file, all)
		}
	}
	if f.output == "" {
		return nil
	}
	if err := writeRanges(f.output, chosen); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}

// writeRanges replaces a file as a whole: an edge may be reading it.
func writeRanges(file string, entries []ipranges.Entry) error {
	data, err := ipranges.Encode(entries)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".ipranges-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

func printRanges(w io.Writer, entries []ipranges.Entry, format string) error {
	switch format {
	case "json":
		data, err := ipranges.Encode(entries)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	case "caddyfile":
		line := "allow"
		for _, p := range ipranges.Select(entries, nil) {
			line += " " + p.String()
		}
		_, err := fmt.Fprintln(w, line)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RANGE\tSERVICE\tREGION")
	for _, e := range entries {
		fmt.Fprintf(t, "%s\t%s\t%s\n", e.Prefix, shown(orDash(e.Service)), shown(orDash(e.Region)))
	}
	return t.Flush()
}

// printDiff prints what has changed, and returns an error where something has.
func printDiff(w io.Writer, before, now []ipranges.Entry, asJSON bool) error {
	added, removed := ipranges.Without(now, before), ipranges.Without(before, now)
	if asJSON {
		list := func(entries []ipranges.Entry) json.RawMessage {
			data, err := ipranges.Encode(entries)
			if err != nil {
				return json.RawMessage("null")
			}
			return data
		}
		if err := printValue(w, map[string]json.RawMessage{"added": list(added), "removed": list(removed)}); err != nil {
			return err
		}
	} else {
		for _, e := range added {
			fmt.Fprintf(w, "+ %s %s\n", e.Prefix, shown(e.Service))
		}
		for _, e := range removed {
			fmt.Fprintf(w, "- %s %s\n", e.Prefix, shown(e.Service))
		}
	}
	if len(added)+len(removed) == 0 {
		return nil
	}
	return fmt.Errorf("%d added, %d removed", len(added), len(removed))
}
