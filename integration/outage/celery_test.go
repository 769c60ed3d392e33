package outage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// tasks is a Celery app as somebody has it already.
const tasks = `import json, os
from celery import Celery

app = Celery("app", broker=os.environ["BROKER"])

@app.task(name="app.tasks.take", bind=True)
def take(self, payload, event_id):
    line = json.dumps({"payload": payload, "event_id": event_id, "task_id": self.request.id})
    with open(os.environ["TAKEN"], "a") as f:
        f.write(line + "\n")
`

// taken is one call of the task.
type taken struct {
	Payload map[string]any `json:"payload"`
	EventID string         `json:"event_id"`
	TaskID  string         `json:"task_id"`
}

func TestAStockCeleryWorkerTakesEachEventOnce(t *testing.T) {
	const count, odd = 100, `söme "odd" \id`
	redis := startRedis(t)
	e := start(t, setup{redis: redis.Addr, rabbit: broker.Addr, prefix: newPrefix(), hooks: `genesys_webhook {
		timeout 5s
		format celery app.tasks.take {
			queue celery
		}
	}`})
	var ids []string
	for i := range count {
		ids = append(ids, fmt.Sprintf("evt_%d", i))
	}
	ids = append(ids, odd)
	bodies := make(map[string]string)
	for _, id := range ids {
		quoted, _ := json.Marshal(id)
		bodies[id] = payload(strings.Trim(string(quoted), `"`))
	}
	takeAll := func(ids []string) {
		for _, id := range ids {
			edge.Eventually(t, time.Minute, "it is taken", func() bool { // what is refused is sent again
				return post(t, e, hookPath, bodies[id]).status/100 == 2
			})
		}
	}
	takeAll(ids[:count/2]) // before there is a worker
	w := startWorker(t)
	takeAll(ids[count/2:])
	want(t, e, hookPath, bodies[odd], 200, "duplicate")

	edge.Eventually(t, time.Minute, "the worker has them all", func() bool { return len(w.taken(t)) >= len(ids) })
	if err := w.stop(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
	calls := make(map[string]int)
	for _, call := range w.taken(t) {
		calls[call.EventID]++
		var want map[string]any
		if err := json.Unmarshal([]byte(bodies[call.EventID]), &want); err != nil {
			t.Errorf("event ID %q: %v", call.EventID, err)
		}
		if diff := cmp.Diff(want, call.Payload); diff != "" {
			t.Errorf("%s, -want +got:\n%s", call.EventID, diff)
		}
		if call.TaskID != call.EventID {
			t.Errorf("event %q has the task ID %q", call.EventID, call.TaskID)
		}
	}
	for _, id := range ids {
		if calls[id] != 1 {
			t.Errorf("%s was taken %d times", id, calls[id])
		}
	}
	if strings.Contains(w.log.String(), "4155551234") {
		t.Error("the worker's log has the payload")
	}
}

// worker is a running Celery worker.
type worker struct {
	cmd  *exec.Cmd
	log  *edge.Log
	file string // what its task has taken
	done chan error
}

// startWorker starts a worker, which is killed at the end of the test.
func startWorker(t *testing.T) *worker {
	t.Helper()
	if out, err := servers.Command(t.Context(), "/usr/bin/python3", "-c", "import celery").CombinedOutput(); err != nil {
		t.Fatalf("Celery is not installed (make test installs it): %v\n%s", err, out)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tasks.py"), []byte(tasks), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &worker{log: new(edge.Log), file: filepath.Join(dir, "taken"), done: make(chan error, 1)}
	w.cmd = servers.Command(t.Context(), "/usr/bin/python3", "-m", "celery", "-A", "tasks", "worker", "--loglevel=INFO", "-P", "solo")
	w.cmd.Dir, w.cmd.Stdout, w.cmd.Stderr = dir, w.log, w.log
	w.cmd.Env = append(os.Environ(), "BROKER="+broker.URL(), "TAKEN="+w.file, "PYTHONDONTWRITEBYTECODE=1")
	w.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.done <- w.cmd.Wait() }()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("log of the worker:\n%s", edge.Tail(w.log.String(), 4000))
		}
	})
	return w
}

// stop asks the worker to stop, and waits for its end.
func (w *worker) stop() error {
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-time.After(time.Minute):
		return errors.New("still running a minute after SIGTERM")
	}
}

// taken returns the calls so far.
func (w *worker) taken(t *testing.T) (calls []taken) {
	t.Helper()
	raw, err := os.ReadFile(w.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var call taken
		if !strings.HasSuffix(line, "\n") { // it is writing
			break
		}
		if err := json.Unmarshal([]byte(line), &call); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	return calls
}
