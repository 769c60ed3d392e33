package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long things may take.
const (
	startTimeout = 30 * time.Second // until the edge takes an event
	stopTimeout  = 20 * time.Second
	adminTimeout = 10 * time.Second // beside the time of a profile
)

// process is a running edge.
type process struct {
	addr  string // host:port of the hook
	admin string // host:port of the admin API
	log   string // the file that it writes
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
	err   error         // how, once done is closed
}

// program returns the binary of a variant.
func (s settings) program(v variant) string {
	switch {
	case v.bare:
		return s.bare
	case v.core:
		return s.core
	}
	return s.hookgate
}

// command prepares the edge with its Caddyfile in dir. verb is run or validate.
func command(s settings, v variant, dir, port, admin, verb string, env []string) (*exec.Cmd, error) {
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(v.caddyfile(port, admin, dir)), 0o600); err != nil {
		return nil, err
	}
	program, err := filepath.Abs(s.program(v))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, verb, "--config", file, "--adapter", "caddyfile")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Env = append(cmd.Env, env...)
	return cmd, nil
}

// check says whether a program knows what its variant asks for, before time is
// spent on the others.
func check(s settings, v variant, dir string) error {
	cmd, err := command(s, v, dir, "1", "127.0.0.1:1", "validate", []string{
		"REDIS_URL=redis://127.0.0.1:1/0", "AMQP_URL=amqp://127.0.0.1:1/",
	})
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("variant %s: %s does not take its Caddyfile: %w\n%s", v.name, s.program(v), err, lastLine(out))
	}
	return nil
}

// startProcess starts the edge on its core, with its data in dir.
func startProcess(s settings, v variant, p pinning, dir string, env []string) (*process, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	e := &process{
		addr:  "127.0.0.1:" + ports[0],
		admin: "127.0.0.1:" + ports[1],
		log:   filepath.Join(dir, "edge.log"),
		done:  make(chan struct{}),
	}
	if e.cmd, err = command(s, v, dir, ports[0], e.admin, "run", env); err != nil {
		return nil, err
	}
	log, err := os.Create(e.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := p.startEdge(e.cmd); err != nil {
		return nil, err
	}
	go func() {
		e.err = e.cmd.Wait()
		close(e.done)
	}()
	return e, nil
}

// ready sends events until one is taken, and returns how many were.
func (e *process) ready(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	last := "no answer"
	for {
		t := probe(e.addr)
		if t.accepted > 0 {
			return t.accepted, nil
		}
		for status := range t.statuses {
			if status > 0 {
				last = fmt.Sprintf("it answers %d", status)
			}
		}
		select {
		case <-e.done:
			return 0, fmt.Errorf("the edge has ended: %w\n%s", e.err, e.tail())
		case <-ctx.Done():
			return 0, fmt.Errorf("the edge takes no event (%s)\n%s", last, e.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the edge in good order.
func (e *process) stop() error {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.done:
		return e.err
	case <-time.After(stopTimeout):
		_ = e.cmd.Process.Kill()
		<-e.done
		return fmt.Errorf("the edge did not stop within %s\n%s", stopTimeout, e.tail())
	}
}

// get fetches a path of the admin API.
func (e *process) get(ctx context.Context, path string, into io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.admin+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("admin API, %s: %s", path, resp.Status)
	}
	_, err = io.Copy(into, resp.Body)
	return err
}

// queued returns how many events are in the embedded queue.
func (e *process) queued(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	var out strings.Builder
	if err := e.get(ctx, "/hookgate/queue", &out); err != nil {
		return 0, err
	}
	var counts struct {
		Ready int `json:"ready"`
	}
	if err := json.Unmarshal([]byte(out.String()), &counts); err != nil {
		return 0, fmt.Errorf("counts of the queue: %w", err)
	}
	return counts.Ready, nil
}

// tail returns the end of the edge's log.
func (e *process) tail() string {
	log, _ := os.ReadFile(e.log)
	return string(log[max(0, len(log)-2000):])
}

// lastLine returns the last line of an output: where a program says why it
// ends.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// freePorts returns ports of the loopback interface that nobody listens on.
func freePorts(n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all open at once, so that no two are the same
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports, nil
}
