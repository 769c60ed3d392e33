package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookgate/hookgate/consumer"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

// asProgram makes the test binary the program, so that a test can kill it:
// "main" is the program itself, "quick" one whose claims do not outlive it for
// long, "poison" one whose handler dies of an event.
const asProgram = "HOOKGATE_TEST_PROGRAM"

// shared is the broker of all tests here. Each has names of its own in it, by a
// prefix.
var shared = sync.OnceValues(func() (*servers.RabbitMQ, error) {
	dir, err := os.MkdirTemp("", "hookgate-consumer")
	if err != nil {
		return nil, err
	}
	return servers.NewRabbitMQ(dir)
})

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "main":
		main()
	case "quick":
		quick()
	case "poison":
		poison()
	}
	started := false
	rabbit = func(t *testing.T) *servers.RabbitMQ {
		t.Helper()
		started = true
		r, err := shared()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	code := m.Run()
	if started {
		if r, err := shared(); err == nil {
			r.Close()
			_ = os.RemoveAll(r.Dir())
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// rabbit returns the shared broker.
var rabbit func(t *testing.T) *servers.RabbitMQ

// quick is the program, but that the claim of one that was killed ends soon.
func quick() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:], os.LookupEnv, os.Stdout)
	if err != nil {
		panic(err)
	}
	s.lease = time.Second
	p, err := newProgram(s, os.Stderr)
	if err != nil {
		panic(err)
	}
	if err := p.run(ctx); err != nil {
		panic(err)
	}
	os.Exit(exitOK)
}

// poison is a consumer as somebody might write one, whose handler dies of the
// event "poison".
func poison() {
	s, err := parse(os.Args[1:], os.LookupEnv, os.Stdout)
	if err != nil {
		panic(err)
	}
	log, err := newLogger(s, os.Stderr)
	if err != nil {
		panic(err)
	}
	src, err := open("queue", queues(), s.queue, s, log)
	if err != nil {
		panic(err)
	}
	down, err := openHandler(s, log)
	if err != nil {
		panic(err)
	}
	in, err := openInbox(s, log)
	if err != nil {
		panic(err)
	}
	c, err := consumer.New(consumer.Options{
		Source: src, Inbox: in, Logger: log,
		Lease: time.Second, // the claim of a consumer that died is outlasted
		Handler: hook.HandlerFunc(func(ctx context.Context, ev *hook.Event) error {
			if ev.ID == "poison" {
				time.Sleep(50 * time.Millisecond) // so that others are at work as well
				os.Exit(3)
			}
			return down.Handle(ctx, ev)
		}),
	})
	if err != nil {
		panic(err)
	}
	for _, p := range []part{in, src} {
		if err := p.Start(); err != nil {
			panic(err)
		}
	}
	panic(c.Run(context.Background()))
}

// child is the test binary as a program.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   error         // and then how
}

// process starts the test binary as a program, which ends with the test.
func process(t *testing.T, as string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), asProgram+"="+as)
	out := new(output)
	c.cmd.Stderr = out
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(out.String())
		}
	})
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		c.err = c.cmd.Wait()
	}()
	t.Cleanup(func() { _ = c.end(os.Kill) })
	return c
}

// end sends a signal, waits, and returns how it ended.
func (c *child) end(s os.Signal) error {
	_ = c.cmd.Process.Signal(s) // fails when it has ended before
	<-c.ended
	return c.err
}
