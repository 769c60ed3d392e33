package faults

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/hookgate/hookgate/integration/edge"
)

// worker is a hookgate-consumer that runs.
type worker struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
	log  *edge.Log
}

// startWorker starts one that writes events into the site's database. It is
// killed at the end of the test.
func startWorker(t *testing.T, s *site) *worker {
	t.Helper()
	w := &worker{t: t, log: new(edge.Log), args: []string{
		"--queue", broker.URL(), "--prefix", s.prefix,
		"--postgres", postgres.DSN("hookgate_consumer", s.prefix), "--table", "hookgate.events",
		"--retry", "1s,2s,5s,10s",
	}}
	w.run()
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			t.Logf("log of a consumer:\n%s", edge.Tail(w.log.String(), 3000))
		}
	})
	return w
}

// run starts the process anew.
func (w *worker) run() {
	w.t.Helper()
	w.cmd = exec.Command(companion, w.args...)
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
}

// kill ends the process at once, and waits for its end.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}
