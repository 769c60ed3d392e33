package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hookgate/hookgate/hook"
)

// childVar tells the test program that it is the one to be killed.
const childVar = "HOOKGATE_TEST_CHILD"

// child accepts events and prints the ID of each that was acknowledged, until
// it is killed.
func child(dir string) {
	db, err := New(Options{Path: filepath.Join(dir, "hookgate.db")})
	if err == nil {
		err = db.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for n := range 32 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), n, i)
				if s, _, err := db.Accept(context.Background(), claim(id, fingerprint("1")), event(id, []byte(id)), nil); err == nil && s == hook.Ours {
					mu.Lock()
					fmt.Println(id)
					mu.Unlock()
				}
			}
		}()
	}
	select {}
}

func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]bool{}
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVar+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acked[lines.Text()] = true
			if n == 100+37*round {
				_ = cmd.Process.Kill() // what it printed before is read on
			}
		}
		_ = cmd.Wait()
	}
	db := open(t, Options{Path: filepath.Join(dir, "hookgate.db")})
	seen := map[string]int{}
	for after := uint64(0); ; {
		page, err := db.Peek(t.Context(), hook.StateReady, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			seen[e.Event.ID]++
		}
		after = page[len(page)-1].Seq
	}
	for id := range acked {
		if seen[id] != 1 {
			t.Fatalf("%s was acknowledged and is there %d times", id, seen[id])
		}
	}
	if len(acked) < 800 {
		t.Errorf("only %d were acknowledged", len(acked))
	}
}
