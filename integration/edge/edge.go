// Package edge runs the program as its users have it, for tests: built, started
// with a Caddyfile, reloaded, and killed.
//
// It is for tests alone. Nothing that is built imports it.
package edge

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/servers"
)

// Edge is a running program.
type Edge struct {
	Dir   string // holds its Caddyfile and its data
	HTTP  string // address of the plain site, host:port
	Admin string // address of the admin API, host:port
	Log   *Log   // what the process wrote

	t       *testing.T
	program string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	err     error         // how it ended, once done is closed
}

// Start runs a program with a Caddyfile, in which $PORT, $ADMIN and $DIR are
// replaced, on ports that it can have, and waits until it answers. It is killed
// at the end of the test.
func Start(t *testing.T, program, caddyfile string) *Edge {
	t.Helper()
	var err error
	for range 5 {
		e := &Edge{t: t, program: program, Dir: t.TempDir(), HTTP: FreeAddr(t), Admin: FreeAddr(t)}
		e.Write(caddyfile)
		if err = e.begin(); err == nil {
			t.Cleanup(e.end)
			return e
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	t.Fatal(err)
	return nil
}

// end kills the program and looks at what it has logged.
func (e *Edge) end() {
	e.Kill()
	if e.t.Failed() {
		e.t.Logf("log of the program:\n%s", Tail(e.Log.String(), 6000))
	}
	for _, report := range races(e.Log.String()) {
		e.t.Errorf("the program has a data race:\n%s", report)
	}
}

// Expand replaces $PORT, $ADMIN and $DIR.
func (e *Edge) Expand(caddyfile string) string {
	_, port, _ := net.SplitHostPort(e.HTTP)
	return strings.NewReplacer("$PORT", port, "$ADMIN", e.Admin, "$DIR", e.Dir).Replace(caddyfile)
}

// Write writes the Caddyfile that the program is started with.
func (e *Edge) Write(caddyfile string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.Dir, "Caddyfile"), []byte(e.Expand(caddyfile)), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// Run starts the process, which must not run yet, and waits until it answers.
func (e *Edge) Run() {
	e.t.Helper()
	if err := e.begin(); err != nil {
		e.t.Fatal(err)
	}
}

func (e *Edge) begin() error {
	http.DefaultClient.CloseIdleConnections() // those to a process that is gone
	log, done := new(Log), make(chan struct{})
	cmd := exec.Command(e.program, "run", "--config", filepath.Join(e.Dir, "Caddyfile"), "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+e.Dir, "XDG_CONFIG_HOME="+e.Dir, "GORACE=halt_on_error=0")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it does not outlive a killed test
	if err := cmd.Start(); err != nil {
		return err
	}
	e.cmd, e.Log, e.done = cmd, log, done
	go func() {
		e.err = cmd.Wait()
		close(done)
	}()
	ended := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	answers := false
	Within(time.Minute, func() bool { answers = e.answers(); return answers || ended() })
	switch {
	case answers:
		return nil
	case ended():
		return fmt.Errorf("the program ended: %w\n%s", e.err, log)
	}
	e.Kill()
	return fmt.Errorf("the program does not answer:\n%s", log)
}

// answers reports whether this process, and no other, has loaded its config.
func (e *Edge) answers() bool {
	cmdline, err := e.AdminRead("/debug/pprof/cmdline")
	if err != nil || !strings.Contains(cmdline, filepath.Join(e.Dir, "Caddyfile")) {
		return false
	}
	// It is answered when the config is loaded, and the sites listen.
	config, err := e.AdminRead("/config/")
	if err != nil || strings.TrimSpace(config) == "null" {
		return false
	}
	conn, err := net.DialTimeout("tcp", e.HTTP, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// PID returns the process ID.
func (e *Edge) PID() int { return e.cmd.Process.Pid }

// Signal sends a signal to the process.
func (e *Edge) Signal(s os.Signal) error { return e.cmd.Process.Signal(s) }

// Kill ends the process at once, if it runs, and waits for its end.
func (e *Edge) Kill() {
	_ = e.cmd.Process.Kill()
	<-e.done
}

// Wait waits for the end of the process, and returns how it ended.
func (e *Edge) Wait() error {
	<-e.done
	return e.err
}

// Terminate asks the process to stop, and waits for its end.
func (e *Edge) Terminate() error {
	if err := e.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-e.done:
		return e.err
	case <-time.After(time.Minute):
		return errors.New("still running a minute after SIGTERM")
	}
}

// URL returns the address of a path on the plain site.
func (e *Edge) URL(path string) string { return "http://" + e.HTTP + path }

// FreeAddr returns a loopback address that nobody listens on.
func FreeAddr(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", servers.FreePort(t))
}
