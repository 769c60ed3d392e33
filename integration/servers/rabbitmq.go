package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	name string // of its Erlang node
	env  []string
	epmd *process
	proc *process
	log  *os.File
}

// rabbitBin is where Debian's package has the scripts that do not insist on
// being run as the user rabbitmq.
const rabbitBin = "/usr/lib/rabbitmq/bin"

// NewRabbitMQ starts a broker with its data in dir, and with lines of
// rabbitmq.conf. It takes about five seconds, which is why tests share one. Close
// stops it.
func NewRabbitMQ(dir string, settings ...string) (*RabbitMQ, error) {
	if err := installed(filepath.Join(rabbitBin, "rabbitmq-server")); err != nil {
		return nil, err
	}
	var last error
	for range attempts {
		ports, err := freePorts(3)
		if err != nil {
			return nil, err
		}
		r, err := newRabbitMQ(dir, ports[0], ports[1], ports[2], strings.Join(settings, "\n"))
		if !errors.Is(err, errPortTaken) {
			return r, err
		}
		last = err
	}
	return nil, last
}

// newRabbitMQ starts a broker on ports that may be taken meanwhile.
func newRabbitMQ(dir, amqp, dist, epmd, settings string) (_ *RabbitMQ, err error) {
	r, err := prepareRabbitMQ(dir, dir, amqp, dist, epmd, settings)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.epmd, err = startMapper(epmd, r.log); err != nil {
		return nil, err
	}
	if err := r.Start(); err != nil {
		return nil, err
	}
	return r, nil
}

// prepareRabbitMQ writes the settings of a broker that was not started yet.
// Those that are to talk to each other have the same home.
func prepareRabbitMQ(dir, home, amqp, dist, epmd, settings string) (r *RabbitMQ, err error) {
	r = &RabbitMQ{Addr: "127.0.0.1:" + amqp, dir: dir, name: "hookgate" + amqp + "@localhost"}
	for name, content := range map[string]string{
		"rabbitmq.conf": "listeners.tcp.default = 127.0.0.1:" + amqp + "\n" +
			"vm_memory_high_watermark.relative = 0.6\ndisk_free_limit.absolute = 50MB\nlog.file.level = warning\n" + settings,
		"enabled_plugins": "[].\n",
		"env.conf":        "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	r.env = append(
		os.Environ(),
		"HOME="+home, // the Erlang cookie
		"ERL_EPMD_PORT="+epmd,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(dir, "env.conf"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_NODENAME="+r.name,
		"RABBITMQ_DIST_PORT="+dist,
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
	)
	r.log, err = os.Create(filepath.Join(dir, "output.log"))
	return r, err
}

// startMapper starts the port mapper, or the broker would start one that
// outlives it.
func startMapper(port string, log *os.File) (*process, error) {
	cmd := command("epmd", "-port", port, "-address", "127.0.0.1")
	cmd.Stdout, cmd.Stderr = log, log
	p, err := begin(cmd)
	if err != nil {
		return nil, err
	}
	err = wait(p, "epmd", log, func() bool {
		// A request for all names, and its answer: the port, and those names.
		n, _ := strconv.Atoi(port)
		return answers(net.JoinHostPort("127.0.0.1", port), "\x00\x01n", binary.BigEndian.AppendUint32(nil, uint32(n)))
	})
	if p.ended() { // it does not say why
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return p, err
}

// Start starts a broker that was killed, with the data of before, and waits
// until it takes connections.
func (r *RabbitMQ) Start() (err error) {
	cmd := command(filepath.Join(rabbitBin, "rabbitmq-server"))
	// With the first the script becomes the broker, where otherwise it would
	// be the parent of one that outlives it. The second takes back what the
	// first means beside that.
	cmd.Env = append(r.env, "RABBITMQ_ALLOW_INPUT=true", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput")
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, r.log, r.log
	if r.proc, err = begin(cmd); err != nil {
		return err
	}
	return wait(r.proc, "rabbitmq-server", r.log, r.takesConnections)
}

// wait polls until a process is ready. What it says is in its log.
func wait(p *process, name string, log *os.File, ready func() bool) error {
	deadline := time.Now().Add(2 * time.Minute)
	for !p.ended() && time.Now().Before(deadline) {
		if ready() && !p.ended() {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	out, _ := os.ReadFile(log.Name())
	err := fmt.Errorf("%s did not start:\n%s", name, out)
	if p.ended() && portTaken.Match(out) {
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// portTaken is what the broker and its port mapper say of it.
var portTaken = regexp.MustCompile(`(?i)eaddrinuse|already in use|in use by`)

// takesConnections reports whether the broker answers the protocol header.
// What it answers to a wrong one is the header that it knows (AMQP 0-9-1,
// section 4.2.2).
func (r *RabbitMQ) takesConnections() bool { return answers(r.Addr, "HTTP/1.1", []byte("AMQP")) }

// URL returns the AMQP URL of the default user.
func (r *RabbitMQ) URL() string { return "amqp://guest:guest@" + r.Addr + "/" }

// Ctl runs rabbitmqctl, which takes a second or two, and returns its output.
func (r *RabbitMQ) Ctl(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := Command(ctx, filepath.Join(rabbitBin, "rabbitmqctl"), append([]string{"-q"}, args...)...)
	cmd.Env, cmd.Dir = r.env, r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("rabbitmqctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Signal sends a signal to the broker and the helpers of its runtime: SIGSTOP,
// SIGCONT.
func (r *RabbitMQ) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := r.proc.signal(s); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the broker as a power cut would. Start brings it back.
func (r *RabbitMQ) Kill() { r.proc.kill() }

// Close stops the broker and its port mapper for good.
func (r *RabbitMQ) Close() {
	r.Kill()
	if r.epmd != nil { // those of a cluster share one
		r.epmd.kill()
	}
	_ = r.log.Close()
}

// Dir returns the folder with the broker's data and logs.
func (r *RabbitMQ) Dir() string { return r.dir }
