package servers

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNoPortIsGivenOutTwice(t *testing.T) {
	seen := map[string]bool{}
	low, high := portRange()
	for range 20 {
		for _, port := range FreePorts(t, 10) {
			n, err := strconv.Atoi(port)
			if err != nil || n < low || n >= high || seen[port] {
				t.Errorf("%s, %v", port, err)
			}
			seen[port] = true
		}
	}
}

// occupy listens on a port that nobody else is given.
func occupy(t *testing.T) string {
	t.Helper()
	port := FreePort(t)
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return port
}

func TestATakenPortIsFoundOut(t *testing.T) {
	port := occupy(t)
	if err := newRedis(t, port, common(t, port)).start(); !errors.Is(err, errPortTaken) {
		t.Errorf("Redis: %v", err)
	}
	for i, name := range []string{"AMQP", "the Erlang distribution", "the port mapper"} {
		ports := FreePorts(t, 3)
		ports[i] = occupy(t)
		if _, err := newRabbitMQ(t.TempDir(), ports[0], ports[1], ports[2], ""); !errors.Is(err, errPortTaken) {
			t.Errorf("RabbitMQ, %s: %v", name, err)
		}
	}
}

func TestATakenPortOfPostgresIsFoundOut(t *testing.T) {
	p, err := NewPostgres()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Kill()
	l, err := net.Listen("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); !errors.Is(err, errPortTaken) {
		t.Error(err)
	}
	_ = l.Close()
	if err := p.Start(); err != nil {
		t.Error(err)
	}
}

// killedDir is set where this program runs as the test that is killed.
const killedDir = "HOOKGATE_KILLED_TEST_DIR"

func TestNoServerOutlivesAKilledTest(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		StartRedis(t)
		if _, err := NewRabbitMQ(dir); err != nil {
			t.Fatal(err)
		}
		fmt.Println("started")
		select {} // until it is killed
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), killedDir+"="+dir, "TMPDIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := begin(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "started" {
		t.Fatalf("the servers were not started: %q", lines.Text())
	}
	if n := len(using(dir)); n < 4 { // the test, Redis, the broker, its port mapper
		t.Errorf("%d processes", n)
	}
	_ = cmd.Process.Kill()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := using(dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %q", left)
		}
	}
}

// using returns the command lines of the processes that have a folder in their
// environment, as the children of a process have that was given it.
func using(dir string) (commands []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(env), killedDir+"="+dir+"\x00") {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		commands = append(commands, strings.ReplaceAll(string(command), "\x00", " "))
	}
	return commands
}
