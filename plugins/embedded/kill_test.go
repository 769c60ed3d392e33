package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/hookgate/hookgate/hook"
)

// childEnv names the file that the test binary is to write to, instead of
// running tests.
const childEnv = "HOOKGATE_EMBEDDED_CHILD"

// child accepts events until it is killed, and prints the ID of each that it
// has the word of the store for.
func child(path string) {
	d, err := New(Options{Path: path})
	if err == nil {
		d.freshEnough = 64 // so that it is killed while keys move
		err = d.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(consumerEnv) != "" {
		consumingChild(d)
	}
	for n := range 16 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), n, i)
				if s, _, err := d.Accept(context.Background(), claimOn(hook.EventKey("h", id), 1, 1), event(id), nil); err == nil && s == hook.Ours {
					fmt.Println(id)
				}
			}
		}()
	}
	select {}
}

func TestWhatWasAcceptedIsThereOnceAfterAKill(t *testing.T) {
	path := tempFile(t)
	acked := map[string]bool{}
	for round := range 6 {
		before := len(acked)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		killed := false
		for lines.Scan() { // also what it printed before it died
			acked[lines.Text()] = true
			if !killed && len(acked) > before+200+round*37 {
				killed = true
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.Exited() {
			t.Fatalf("round %d: the child ended by itself", round)
		}
	}
	d := started(t, Options{Path: path})
	intact(t, d)
	seen := ids(t, d, hook.StateReady)
	lost, twice := 0, 0
	for id := range acked {
		if seen[id] == 0 {
			lost++
		}
	}
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if lost > 0 || twice > 0 {
		t.Errorf("of %d acknowledged events %d are lost, and %d of %d are there more than once", len(acked), lost, twice, len(seen))
	}
	for id := range seen { // and the key came with the event
		if s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", id), 9, 1), event(id), nil); s != hook.Committed || err != nil {
			t.Fatalf("an event that is there is taken again: %v %v", s, err)
		}
	}
}
