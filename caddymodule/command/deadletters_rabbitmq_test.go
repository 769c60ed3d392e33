package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/deadletter"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// programVariable has the arguments of a test binary that is to be the program.
const programVariable = "HOOKGATE_TEST_DEAD_LETTERS"

// TestDeadLettersAsAProgram is the program that another test starts and kills.
func TestDeadLettersAsAProgram(t *testing.T) {
	var args []string
	if json.Unmarshal([]byte(os.Getenv(programVariable)), &args) != nil {
		return // a test like others
	}
	cmd := newDeadLetters()
	cmd.SetArgs(args)
	cmd.SetOut(os.Stdout)
	cmd.SetErr(os.Stderr)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
}

// rabbitRig is a broker with letters in it.
type rabbitRig struct {
	t      *testing.T
	broker *servers.RabbitMQ
	prefix string
	queue  *rabbitmq.Queue
}

func newRabbitRig(t *testing.T, broker *servers.RabbitMQ, prefix string, letters int) *rabbitRig {
	t.Helper()
	q, err := rabbitmq.New(rabbitmq.Options{Servers: []rabbitmq.Server{{Addr: broker.Addr, Host: "localhost"}}, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = q.Close(ctx)
	})
	r := &rabbitRig{t: t, broker: broker, prefix: prefix, queue: q}
	r.eventually("the queue is ready", func() bool { return q.Ready() == nil })
	var wg sync.WaitGroup
	turn := make(chan struct{}, 64) // in flight
	for i := range letters {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			for n := 0; ; n++ {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := q.Park(ctx, deadEvent(i), deadFault(i))
				cancel()
				if err == nil {
					return
				}
				if n == 100 {
					t.Errorf("letter %d: %v", i, err)
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	r.eventually("all letters are there", func() bool { return r.dead() == letters })
	return r
}

func (r *rabbitRig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not in time: %s", what)
		}
	}
}

func (r *rabbitRig) dead() int {
	n, err := r.queue.Count(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// run runs `dead-letters` in RabbitMQ.
func (r *rabbitRig) run(args ...string) ran {
	return runLetters(context.Background(), append(args, "--amqp", r.broker.URL(), "--prefix", r.prefix)...)
}

// sent takes what was sent to the queue for events.
func (r *rabbitRig) sent() (all []amqp.Delivery) {
	r.t.Helper()
	c, err := amqp.Dial(r.broker.URL())
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		d, ok, err := ch.Get(r.prefix+".events", true)
		if err != nil {
			r.t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// keys returns the inbox keys of what was sent, and how often each was.
func keys(sent []amqp.Delivery) map[string]int {
	n := make(map[string]int)
	for i := range sent {
		replay, _ := sent[i].Headers["x-hookgate-replay"].(int64)
		n[hook.InboxKey("pe-action-map", sent[i].MessageId, int(replay))]++
	}
	return n
}

const manyLetters = 10_000

func TestDeadLettersInRabbitMQ(t *testing.T) {
	t.Setenv(amqpVariable, "")
	broker, err := servers.NewRabbitMQ(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	t.Run("ten thousand are listed, grouped, filtered, sent again and put away", func(t *testing.T) {
		testManyLetters(t, newRabbitRig(t, broker, "many", manyLetters))
	})
	t.Run("a replay is killed half-way and run again", func(t *testing.T) {
		testKilledReplay(t, newRabbitRig(t, broker, "killed", manyLetters))
	})
	t.Run("one is mended", func(t *testing.T) { testEditInRabbitMQ(t, newRabbitRig(t, broker, "edited", 3)) })
	t.Run("an error says what to do, and no password", func(t *testing.T) { testRabbitMQErrors(t, broker) })
}

func testManyLetters(t *testing.T, r *rabbitRig) {
	list := r.run("list", "--limit", "0", "--json")
	list.check(t, 0)
	var first, last deadletter.Record
	lines := strings.Split(strings.TrimSpace(list.out), "\n")
	if len(lines) != manyLetters || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[manyLetters-1]), &last) != nil {
		t.Fatalf("%d lines", len(lines))
	}
	r.run("groups").check(t, 0, "7500 ", "2500 ", "the downstream answered after <n> ms")
	r.run("list", "--until", "2026-05-14T13:00:10Z", "--kind", "exhausted", "--limit", "3").check(t, 0, "3 of 8 shown")
	r.run("show", first.ID).check(t, 0, "exchange", r.prefix, "routing key")
	for range 3 { // looking changes no order
		if again := r.run("list", "--limit", "0", "--json"); again.out != list.out {
			t.Fatal("the list is another one")
		}
	}

	r.run("replay", "--kind", "conflict", "--dry-run").check(t, 0, "2500 of 2500 dead letters would be sent")
	if n := r.dead(); n != manyLetters {
		t.Fatalf("after a dry run there are %d", n)
	}
	begin := time.Now()
	r.run("replay", "--kind", "conflict", "--limit", "100", "--rate", "100", "--yes").check(t, 0, "100 of 2500 dead letters sent, 2400 left")
	if took := time.Since(begin); took < time.Second {
		t.Errorf("100 at 100 a second took %s", took)
	}
	sent := r.sent()
	if len(sent) != 100 || len(keys(sent)) != 100 || !strings.Contains(sent[0].MessageId, "~") {
		t.Errorf("%d were sent under %d keys, the first as %s", len(sent), len(keys(sent)), sent[0].MessageId)
	}
	path := filepath.Join(t.TempDir(), "archive.jsonl")
	r.run("discard", "--error", "the downstream", "--limit", "5000", "--archive", path, "--yes").check(t, 0, "5000 of 7500 dead letters discarded, 2500 left")
	if raw, err := os.ReadFile(path); err != nil || bytes.Count(raw, []byte("\n")) != 5000 {
		t.Errorf("%d lines, %v", bytes.Count(raw, []byte("\n")), err)
	}
	r.eventually("the others are there", func() bool { return r.dead() == 4900 })
	r.run("replay", "--all", "--yes").check(t, 0, "4900 of 4900 dead letters sent")
	if sent := r.sent(); len(sent) != 4900 || len(keys(sent)) != 4900 {
		t.Errorf("%d were sent under %d keys", len(sent), len(keys(sent)))
	}
	if n := r.dead(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// testKilledReplay kills the program while it sends, twice, and then lets it
// end: every letter was sent, and under one key.
func testKilledReplay(t *testing.T, r *rabbitRig) {
	args, _ := json.Marshal([]string{"replay", "--all", "--rate", "1000", "--yes", "--prefix", r.prefix})
	for _, after := range []int{2500, 5000} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDeadLettersAsAProgram$", "-test.timeout=2m")
		cmd.Env = append(os.Environ(), programVariable+"="+string(args), amqpVariable+"="+r.broker.URL())
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		sentSoFar := r.waitForEvents(after)
		_ = cmd.Process.Kill()
		for s := bufio.NewScanner(out); s.Scan(); {
			if strings.Contains(s.Text(), "dead letters sent") {
				t.Errorf("it was through before it was killed: %s", s.Text())
			}
		}
		_ = cmd.Wait()
		t.Logf("killed when %d were sent", sentSoFar)
		r.eventually("what it held is back", func() bool { return r.dead() >= manyLetters-r.events() })
	}
	left := r.dead()
	if left == 0 || left == manyLetters {
		t.Fatalf("%d are left", left)
	}
	r.run("replay", "--all", "--yes").check(t, 0, fmt.Sprintf("%d of %d dead letters sent", left, left))
	sent := r.sent()
	n := keys(sent)
	if len(n) != manyLetters || r.dead() != 0 {
		t.Errorf("%d events were sent of %d, %d letters are left", len(n), manyLetters, r.dead())
	}
	for i := range manyLetters {
		id := deadEvent(i).ID
		if deadFault(i).Kind == hook.KindConflict {
			id += "~" + deadEvent(i).Fingerprint.String()[:8]
		}
		if n[hook.InboxKey("pe-action-map", id, 1)] == 0 {
			t.Fatalf("%s was not sent", id)
		}
	}
	t.Logf("%d were sent twice, under the same key", len(sent)-len(n))
}

// events is how many were sent.
func (r *rabbitRig) events() int {
	counts, err := r.queue.Counts(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return counts.Ready
}

func (r *rabbitRig) waitForEvents(n int) (got int) {
	r.eventually("some were sent", func() bool { got = r.events(); return got >= n })
	return got
}

func testEditInRabbitMQ(t *testing.T, r *rabbitRig) {
	t.Chdir(t.TempDir())
	id := hook.LetterID(deadEvent(1))
	r.run("edit", id, "--merge-patch", `{"callOutcome":"busy"}`, "--yes").check(t, 0, "was sent in the place of "+id, "dead-letters-edited-")
	sent := r.sent()
	if len(sent) != 1 || sent[0].Headers["x-hookgate-replaces"] != id || !strings.HasPrefix(sent[0].MessageId, "evt-0001~") || !bytes.Contains(sent[0].Body, []byte(`"busy"`)) {
		t.Errorf("%d were sent: %v", len(sent), sent)
	}
	if n := r.dead(); n != 2 {
		t.Errorf("%d are left", n)
	}
}

func testRabbitMQErrors(t *testing.T, broker *servers.RabbitMQ) {
	broker.Ctl(t, "add_user", "nobody", "hunter2")
	broker.Ctl(t, "set_permissions", "nobody", "^$", "^$", "^$")
	for url, want := range map[string]string{
		broker.URL(): "is the prefix (--prefix)",
		"amqp://nobody:hunter2@" + broker.Addr + "/":     "", // what it may not see, RabbitMQ may call missing or refused
		"amqp://guest:hunter2@" + broker.Addr + "/":      "403",
		"amqp://guest:hunter2@127.0.0.1:1/":              "connection refused",
		"amqp://guest:hunter2@" + broker.Addr + "/hooks": "403",
	} {
		for _, args := range [][]string{{"list"}, {"replay", "--all", "--yes"}} {
			got := runLetters(t.Context(), append(args, "--amqp", url, "--prefix", "none")...)
			got.check(t, 1, want)
			if all := fmt.Sprint(got.out, got.errs, got.err); strings.Contains(all, "hunter2") {
				t.Errorf("the password is in %s", all)
			}
		}
	}
}
