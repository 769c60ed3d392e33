package servers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RabbitMQ is a broker that belongs to the tests of one package, so that they
// may kill it, suspend it and raise its alarms. Its default user is
// guest/guest in the virtual host /.
type RabbitMQ struct {
	Addr string // host:port of AMQP 0-9-1

	dir  string
	env  []string
	epmd *exec.Cmd
	cmd  *exec.Cmd
	log  *os.File
}

// rabbitBin is where Debian's package has the scripts that do not insist on
// being run as the user rabbitmq.
const rabbitBin = "/usr/lib/rabbitmq/bin"

// NewRabbitMQ starts a broker with its data in dir. It takes about five
// seconds, which is why tests share one. Close stops it.
func NewRabbitMQ(dir string) (*RabbitMQ, error) {
	if _, err := os.Stat(filepath.Join(rabbitBin, "rabbitmq-server")); err != nil {
		return nil, fmt.Errorf("rabbitmq-server is not installed (make test installs it): %w", err)
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	amqp, dist, epmd := ports[0], ports[1], ports[2]
	r := &RabbitMQ{Addr: "127.0.0.1:" + amqp, dir: dir}
	for name, content := range map[string]string{
		"rabbitmq.conf": "listeners.tcp.default = 127.0.0.1:" + amqp + "\n" +
			"vm_memory_high_watermark.relative = 0.6\ndisk_free_limit.absolute = 50MB\nlog.file.level = warning\n",
		"enabled_plugins": "[].\n",
		"env.conf":        "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	r.env = append(
		os.Environ(),
		"HOME="+dir, // the Erlang cookie
		"ERL_EPMD_PORT="+epmd,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(dir, "env.conf"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_NODENAME=hookgate"+amqp+"@localhost",
		"RABBITMQ_DIST_PORT="+dist,
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
	)
	if r.log, err = os.Create(filepath.Join(dir, "output.log")); err != nil {
		return nil, err
	}
	// The port mapper, or the broker would start one that outlives it.
	r.epmd = exec.Command("epmd", "-port", epmd, "-address", "127.0.0.1")
	r.epmd.Stdout, r.epmd.Stderr = r.log, r.log
	if err := r.epmd.Start(); err != nil {
		return nil, err
	}
	if err := r.Start(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Start starts a broker that was killed, with the data of before, and waits
// until it takes connections.
func (r *RabbitMQ) Start() error {
	r.cmd = exec.Command(filepath.Join(rabbitBin, "rabbitmq-server"))
	r.cmd.Env, r.cmd.Dir = r.env, r.dir
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to reach the helpers of its runtime too
	if err := r.cmd.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(90 * time.Second)
	for time.Now().Before(deadline) {
		if r.takesConnections() {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	out, _ := os.ReadFile(r.log.Name())
	return fmt.Errorf("rabbitmq-server did not start:\n%s", out)
}

// takesConnections reports whether the broker answers the protocol header.
// What it answers to a wrong one is the header that it knows (AMQP 0-9-1,
// section 4.2.2).
func (r *RabbitMQ) takesConnections() bool {
	conn, err := net.DialTimeout("tcp", r.Addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte("HTTP/1.1")); err != nil {
		return false
	}
	answer := make([]byte, 8)
	n, _ := conn.Read(answer)
	return bytes.HasPrefix(answer[:n], []byte("AMQP"))
}

// URL returns the AMQP URL of the default user.
func (r *RabbitMQ) URL() string { return "amqp://guest:guest@" + r.Addr + "/" }

// Ctl runs rabbitmqctl, which takes a second or two, and returns its output.
func (r *RabbitMQ) Ctl(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(rabbitBin, "rabbitmqctl"), append([]string{"-q"}, args...)...)
	cmd.Env, cmd.Dir = r.env, r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("rabbitmqctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Signal sends a signal to the broker and its helpers: SIGSTOP, SIGCONT.
func (r *RabbitMQ) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, s); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the broker as a power cut would. Start brings it back.
func (r *RabbitMQ) Kill() {
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	_ = r.cmd.Wait()
}

// Close stops the broker and its port mapper for good.
func (r *RabbitMQ) Close() {
	r.Kill()
	_ = r.epmd.Process.Kill()
	_ = r.epmd.Wait()
	_ = r.log.Close()
}

// freePorts returns loopback ports that nobody listens on.
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
