package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// consumerEnv tells the child to process what it accepts.
const consumerEnv = "HOOKGATE_EMBEDDED_CHILD_CONSUMES"

// consumingChild accepts events and processes them until it is killed, and
// prints what it is about to do and what it has the word of the store for:
//
//	accepted ID
//	got ID redeliveries attempts
//	will ID, before it settles, and did ID how, after
func consumingChild(d *DB) {
	var (
		mu   sync.Mutex
		held = map[string]bool{}
	)
	hold := func(id string, now bool) {
		mu.Lock()
		defer mu.Unlock()
		if held[id] == now {
			fmt.Println("twice", id)
		}
		held[id] = now
	}
	ctx := context.Background()
	d.Prefetch(16)
	for n := range 6 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), n, i)
				if s, _, err := d.Accept(ctx, claimOn(hook.EventKey("h", id), 1, 1), event(id), nil); err == nil && s == hook.Ours {
					fmt.Println("accepted", id)
				}
			}
		}()
	}
	for n := range 6 {
		go func() {
			for i := n; ; i++ {
				dl, err := d.Receive(ctx)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				id := dl.Event().ID
				hold(id, true)
				fmt.Println("got", id, dl.Redeliveries(), dl.Event().Attempt)
				fmt.Println("will", id)
				hold(id, false) // from here on another may be given it
				how := []string{"done", "later", "return", "done", "dead", "done", "later"}[i%7]
				switch how {
				case "done":
					err = dl.Done(ctx)
				case "later":
					err = dl.Later(ctx, time.Duration(i%3)*5*time.Millisecond, &hook.Fault{Kind: hook.KindTransient})
				case "return":
					err = dl.Return(ctx)
				case "dead":
					err = dl.Dead(ctx, hook.Fault{Kind: hook.KindPermanent})
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println("did", id, how)
			}
		}()
	}
	select {}
}

// heard is what the children have printed about an event.
type heard struct {
	accepted, gone bool
	open           bool // it was given to somebody who was not about to settle it
	settling       int  // how many are about to settle it: what one hands back another may have before the first says so
	maybeGone      bool // its process ended while somebody was
	lost           int  // how often its process ended while it was open
}

func TestWhatIsProcessedIsNotLostAndNotProcessedAgainAfterAKill(t *testing.T) {
	path := tempFile(t)
	events := map[string]*heard{}
	settled := 0
	for round := range 6 {
		before := settled
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path, consumerEnv+"=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		killed := false
		for lines.Scan() { // also what it printed before it died
			var id, more string
			what, rest, _ := strings.Cut(lines.Text(), " ")
			id, more, _ = strings.Cut(rest, " ")
			e := events[id]
			if e == nil {
				e = new(heard)
				events[id] = e
			}
			switch what {
			case "accepted":
				e.accepted = true
			case "got":
				var redeliveries, attempts int
				if _, err := fmt.Sscan(more, &redeliveries, &attempts); err != nil {
					t.Fatal(lines.Text())
				}
				if e.gone {
					t.Errorf("%s was handed out after it was settled for good", id)
				}
				if redeliveries < e.lost {
					t.Errorf("%s was lost %d times, and handed out as if it were %d", id, e.lost, redeliveries)
				}
				e.open, e.maybeGone = true, false
			case "will":
				e.open, e.lost = false, 0
				e.settling++
			case "did":
				settled++
				e.settling--
				e.gone = e.gone || more == "done" || more == "dead"
			default:
				t.Error(lines.Text())
			}
			if !killed && settled > before+150+round*37 {
				killed = true
				must(t, cmd.Process.Kill())
			}
		}
		if exit, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok || exit.Exited() {
			t.Fatalf("round %d: the child ended by itself", round)
		}
		for _, e := range events {
			if e.open {
				e.open = false
				e.lost++
			}
			e.maybeGone = e.maybeGone || e.settling > 0
			e.settling = 0
		}
	}
	longAgo := func() time.Time { return time.Unix(0, 0) } // nothing gets due while we look
	d := started(t, Options{Path: path, Now: longAgo})
	intact(t, d)
	seen := map[string]int{}
	for _, s := range []hook.QueueState{hook.StateReady, hook.StateDue, hook.StateDead} {
		for id, n := range ids(t, d, s) {
			seen[id] += n
		}
	}
	lost := 0
	for id, e := range events {
		if e.accepted && seen[id] == 0 && !e.gone && !e.maybeGone {
			lost++
		}
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s is there %d times", id, n)
		}
	}
	if lost > 0 {
		t.Errorf("of %d events %d are lost", len(events), lost)
	}
	if settled < 1000 {
		t.Errorf("%d were settled", settled)
	}
}
