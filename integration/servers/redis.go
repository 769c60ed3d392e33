package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Redis is a server that keeps nothing on disk. It ends with the test.
type Redis struct {
	Addr string // host:port

	tb     testing.TB
	args   []string
	proc   *process
	output bytes.Buffer // of the process; read after it has ended
	admin  *goredis.Client
}

// StartRedis starts a server and waits until it answers. The arguments are
// those of redis-server, such as "--maxmemory", "3mb".
func StartRedis(tb testing.TB, args ...string) *Redis {
	tb.Helper()
	return startRedis(tb, func(port string) []string { return append(common(tb, port), args...) })
}

// common returns the arguments that every server has.
func common(tb testing.TB, port string) []string {
	return []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", tb.TempDir()}
}

// startRedis starts a process of redis-server with just the arguments that
// args returns, on a port that it can have, and waits until it answers.
func startRedis(tb testing.TB, args func(port string) []string) *Redis {
	tb.Helper()
	var err error
	for range attempts {
		port := FreePort(tb)
		r := newRedis(tb, port, args(port))
		if err = r.start(); err == nil {
			return r
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	tb.Fatal(err)
	return nil
}

func newRedis(tb testing.TB, port string, args []string) *Redis {
	r := &Redis{Addr: net.JoinHostPort("127.0.0.1", port), tb: tb, args: args}
	r.admin = goredis.NewClient(&goredis.Options{
		Addr:                     r.Addr,
		Protocol:                 2,
		MaxRetries:               -1,
		DialerRetries:            1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	tb.Cleanup(func() {
		_ = r.admin.Close()
		r.Kill()
	})
	return r
}

// Restart starts a server that was killed, on the same port and with the same
// arguments, and waits until it answers. It is empty.
func (r *Redis) Restart() {
	r.tb.Helper()
	if err := r.start(); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *Redis) start() error {
	r.tb.Helper()
	if err := installed("redis-server"); err != nil {
		return err
	}
	r.output.Reset()
	cmd := command("redis-server", r.args...)
	cmd.Stdout, cmd.Stderr = &r.output, &r.output
	var err error
	if r.proc, err = begin(cmd); err != nil {
		return err
	}
	poll(r.tb, "redis-server answers", func() bool { return r.proc.ended() || r.answers() })
	if !r.proc.ended() {
		return nil
	}
	err = fmt.Errorf("redis-server has ended:\n%s", r.output.String())
	if strings.Contains(r.output.String(), "already in use") {
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// answers reports whether the server takes commands, or asks for a password.
func (r *Redis) answers() bool {
	return answers(r.Addr, "PING\r\n", []byte("+PONG"), []byte("-NOAUTH"))
}

// Do runs a command as the user "default" and returns its answer.
func (r *Redis) Do(args ...any) any {
	r.tb.Helper()
	answer, err := r.Try(args...)
	if err != nil {
		r.tb.Fatalf("redis %v: %v", args, err)
	}
	return answer
}

// Try is Do with the error that the server answered. A nil answer is none.
func (r *Redis) Try(args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := r.admin.Do(ctx, args...).Result()
	if err == goredis.Nil { //nolint:errorlint // it is never wrapped
		return nil, nil
	}
	return answer, err
}

// Suspend stops the process as it is: its sockets stay open and say nothing.
func (r *Redis) Suspend() { r.signal(syscall.SIGSTOP) }

// Resume lets a suspended process go on.
func (r *Redis) Resume() { r.signal(syscall.SIGCONT) }

func (r *Redis) signal(s syscall.Signal) {
	r.tb.Helper()
	if err := r.proc.signal(s); err != nil {
		r.tb.Fatal(err)
	}
}

// Kill ends the process as a power cut would.
func (r *Redis) Kill() { r.proc.kill() }
