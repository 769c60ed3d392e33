package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a server that belongs to the tests of one package, so that they
// may suspend it and kill it. Whoever connects is taken for the user it says it
// is; postgres may do everything. It writes as durably as it does elsewhere.
type Postgres struct {
	Addr string // host:port

	dir    string // the user that runs the server owns it
	bin    string // where the server is, and what makes its folder
	port   string
	who    *syscall.Credential // nil for the user of this process
	proc   *process
	output bytes.Buffer // of the process; read after it has ended
}

// NewPostgres starts a server in a new folder. It takes about two seconds,
// which is why tests share one. Close stops it and removes the folder.
func NewPostgres() (*Postgres, error) {
	// Debian has the major version in the path, and one of them.
	bins, err := filepath.Glob(filepath.Join(elsewhere(), "/usr/lib/postgresql/*/bin"))
	if err != nil || len(bins) == 0 {
		return nil, notInstalled("postgresql")
	}
	p := &Postgres{bin: strings.TrimPrefix(bins[len(bins)-1], elsewhere())}
	if err := p.create(); err != nil {
		p.Close()
		return nil, err
	}
	var last error
	for range attempts {
		ports, err := freePorts(1)
		if err != nil {
			last = err
			break
		}
		p.port, p.Addr = ports[0], net.JoinHostPort("127.0.0.1", ports[0])
		if last = p.Start(); last == nil {
			return p, nil
		}
		if !errors.Is(last, errPortTaken) {
			break
		}
	}
	p.Close()
	return nil, last
}

// create makes the folder. The server refuses to run as root, so that root has
// the user of Debian's package run it.
func (p *Postgres) create() (err error) {
	if p.dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if p.who, err = userNamed("postgres"); err != nil {
			return err
		}
		if err := os.Chown(p.dir, int(p.who.Uid), int(p.who.Gid)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := p.command(ctx, "initdb", "--pgdata", p.data(),
		"--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-locale")
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// command is a program of the server, as the user that runs it.
func (p *Postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := commandAs(ctx, p.who, filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.Env = p.dir, []string{"HOME=" + p.dir, "LC_ALL=C", "PATH=" + p.bin + ":/usr/bin:/bin:/usr/sbin"}
	return cmd
}

// Start starts a server that was killed, on the same port and with the data of
// before, and waits until it answers.
func (p *Postgres) Start() (err error) {
	p.output.Reset()
	cmd := p.command(context.Background(), "postgres", "-D", p.data(), "-p", p.port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=50")
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if p.proc, err = begin(cmd); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if p.proc.ended() {
			err := fmt.Errorf("postgres has ended:\n%s", p.output.String())
			if strings.Contains(p.output.String(), "Address already in use") {
				err = fmt.Errorf("%w: %w", errPortTaken, err)
			}
			return err
		}
		if err = p.Exec("postgres", "select"); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			p.Kill()
			return fmt.Errorf("postgres does not answer: %w\n%s", err, p.output.String())
		}
	}
}

// DSN returns how a user connects to a database.
func (p *Postgres) DSN(user, database string) string {
	return "postgres://" + user + "@" + p.Addr + "/" + database + "?sslmode=disable"
}

// Exec runs statements in a database, as the user who may do everything.
func (p *Postgres) Exec(database, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN("postgres", database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// Suspend stops all processes of the server as they are: their sockets stay
// open and say nothing.
func (p *Postgres) Suspend(tb testing.TB) { p.signal(tb, syscall.SIGSTOP) }

// Resume lets a suspended server go on.
func (p *Postgres) Resume(tb testing.TB) { p.signal(tb, syscall.SIGCONT) }

func (p *Postgres) signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := p.proc.signal(s); err != nil { // the one that starts the others first
		tb.Fatal(err)
	}
	for _, pid := range p.children() {
		_ = syscall.Kill(pid, s)
	}
}

// children returns the processes that the server has started: each leads a
// group of its own.
func (p *Postgres) children() (pids []int) {
	pid := strconv.Itoa(p.proc.cmd.Process.Pid)
	raw, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	for _, field := range strings.Fields(string(raw)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// Kill ends all processes of the server as a power cut would.
func (p *Postgres) Kill() {
	if p.proc.ended() {
		return
	}
	_ = p.proc.signal(syscall.SIGSTOP) // it starts no more of them
	children := p.children()
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	p.proc.kill()
	// One that is left would keep the next server from starting.
	for deadline := time.Now().Add(10 * time.Second); len(children) > 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if !alive(children[0]) {
			children = children[1:]
		}
	}
}

// alive reports whether a process runs: one that has ended and that nobody has
// asked for its status does not.
func alive(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := bytes.Cut(raw, []byte(") "))
	return len(state) > 0 && state[0] != 'Z'
}

// Close stops the server and removes its folder.
func (p *Postgres) Close() {
	p.Kill()
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}
