// Command hookgate-consumer takes events from a queue and sends each to an HTTP
// service, once: with retries, and a dead letter for what cannot be delivered.
// It is the consumer block of Hookgate's Caddyfile as a program of its own,
// without Caddy. Its help says all about it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // it ran, or tried to, and failed
	exitUsage   = 2 // what it was told to do cannot be done
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program. It ends when ctx does, or before, and returns the exit
// code.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	s, err := parse(args, env, stdout)
	var p *program
	if err == nil {
		p, err = newProgram(s, stderr)
	}
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "hookgate-consumer: %v\nhookgate-consumer --help says more\n", err)
		return exitUsage
	}
	if err := p.run(ctx); err != nil {
		fmt.Fprintf(stderr, "hookgate-consumer: %v\n", err)
		return exitFailure
	}
	return exitOK
}
