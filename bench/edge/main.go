package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The exit codes.
const (
	exitGood  = 0
	exitBad   = 1 // an answer was no success, or late, or an event is missing
	exitError = 2 // nothing could be measured
)

// settings are what the flags say.
type settings struct {
	hookgate    string // the program
	bare        string // Caddy with the handler discard
	core        string // Caddy with the handler keep
	consumer    string // hookgate-consumer
	dir         string // where the folder with all data is made
	variants    []string
	rounds      int
	warmUp      time.Duration
	time        time.Duration
	connections int
	profile     string // a folder, or empty
	json        bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	s, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitGood, nil
	}
	if err != nil {
		return exitError, err
	}
	report, err := measure(ctx, s, stderr)
	if err != nil {
		return exitError, err
	}
	if s.json {
		err = report.writeJSON(stdout)
	} else {
		err = report.writeTable(stdout)
	}
	if err != nil {
		return exitError, err
	}
	if problems := report.problems(); len(problems) > 0 {
		return exitBad, errors.New(strings.Join(problems, "; "))
	}
	return exitGood, nil
}

func parseFlags(args []string, stderr io.Writer) (settings, error) {
	var s settings
	var names string
	f := flag.NewFlagSet("edge", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.hookgate, "hookgate", "bin/hookgate", "the `program` that is measured")
	f.StringVar(&s.bare, "bare", "bin/bench-bare", "the `program` that it is measured against")
	f.StringVar(&s.core, "core", "bin/bench-core", "the `program` that has the accepting core and no more")
	f.StringVar(&s.consumer, "consumer", "bin/hookgate-consumer", "the `program` that processes events")
	f.StringVar(&s.dir, "dir", "", "a `folder` for the data, on a disk like the real one (default: the system's for temporary files)")
	f.StringVar(&names, "variants", strings.Join(usual(), ","), "what to measure, `names` with commas, of "+strings.Join(append(variantNames(), consumerName), ", "))
	f.IntVar(&s.rounds, "rounds", 3, "how often each variant is measured")
	f.DurationVar(&s.warmUp, "warmup", 10*time.Second, "load before each measurement")
	f.DurationVar(&s.time, "time", 10*time.Second, "how long each measurement is")
	f.IntVar(&s.connections, "connections", 64, "keep-alive connections, each with one request at a time")
	f.StringVar(&s.profile, "profile", "", "a `folder` for CPU and allocation profiles (they cost a little themselves)")
	f.BoolVar(&s.json, "json", false, "write JSON instead of a table")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%q is no flag", f.Arg(0))
	case s.rounds < 1 || s.connections < 1:
		return s, errors.New("rounds and connections are 1 at least")
	case s.time < time.Second || s.warmUp < 0:
		return s, errors.New("time is 1s at least, and warmup not negative")
	}
	for _, name := range strings.Split(names, ",") {
		if name != consumerName && !slices.Contains(variantNames(), name) {
			return s, fmt.Errorf("variant %q: there are %s, %s", name, strings.Join(variantNames(), ", "), consumerName)
		}
		s.variants = append(s.variants, name)
	}
	return s, nil
}
