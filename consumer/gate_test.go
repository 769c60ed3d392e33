package consumer

import (
	"fmt"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func testGate(t *testing.T) (*gate, *clock) {
	t.Helper()
	g := newGate(Options{Concurrency: 4, Prefetch: 8, OutageAfter: 3, OutageWindow: time.Minute})
	g.careful = 0
	return g, &clock{now: time.Unix(1_000_000, 0)}
}

// mustFetch takes a ticket.
func mustFetch(t *testing.T, g *gate, c *clock) ticket {
	t.Helper()
	s, ticket, wait, _ := g.next(c.now)
	if s != fetch {
		t.Fatalf("the gate is closed: step %d, wait %v", s, wait)
	}
	return ticket
}

func mustHold(t *testing.T, g *gate, c *clock, want time.Duration) {
	t.Helper()
	s, _, wait, _ := g.next(c.now)
	if s != hold || wait != want {
		t.Fatalf("step %d, wait %v; want a hold of %v", s, wait, want)
	}
}

func TestNoMoreEventsAreHeldThanMayBe(t *testing.T) {
	g, c := testGate(t)
	var first ticket
	for range 4 {
		first = mustFetch(t, g, c)
	}
	mustHold(t, g, c, 0)
	g.leave(first)
	mustFetch(t, g, c)
}

func TestTheFirstEventsAreTakenOneAtATime(t *testing.T) {
	g, c := testGate(t)
	g.careful = carefulFor
	for range carefulFor {
		if g.window() != 1 {
			t.Fatal(g.window())
		}
		ticket := mustFetch(t, g, c)
		mustHold(t, g, c, 0)
		g.settled()
		g.leave(ticket)
	}
	if g.window() != 8 {
		t.Error(g.window())
	}
}

func TestAnEventThatComesBackAThirdTimeIsTakenAlone(t *testing.T) {
	g, c := testGate(t)
	before := mustFetch(t, g, c)
	suspect := mustFetch(t, g, c)
	if reason := g.arrived(suspect, 2); reason != "" {
		t.Fatal(reason)
	}
	changed := g.alone()
	if changed == nil {
		t.Fatal("it is taken beside another")
	}
	if g.window() != 1 {
		t.Error(g.window())
	}
	mustHold(t, g, c, 0)
	g.leave(before)
	<-changed
	if g.alone() != nil {
		t.Error("it waits for nobody")
	}
}

func TestAnEventThatComesBackASecondTimeIsNoSuspect(t *testing.T) {
	g, c := testGate(t)
	mustFetch(t, g, c)
	g.arrived(mustFetch(t, g, c), 1)
	if g.alone() != nil || g.window() != 8 {
		t.Error("it is taken for one")
	}
}

func TestAnOutageNeedsDifferentEventsAndNoSuccess(t *testing.T) {
	fail := func(events ...string) func(g *gate, c *clock) bool {
		return func(g *gate, c *clock) (outage bool) {
			for _, ev := range events {
				switch ev {
				case "ok":
					g.succeeded()
				case "later":
					c.pass(2 * time.Minute)
				default:
					outage, _ = g.failed(ticket{}, ev, 0, c.now)
				}
			}
			return outage
		}
	}
	for name, tc := range map[string]struct {
		do   func(g *gate, c *clock) bool
		want bool
	}{
		"three events are an outage":                  {fail("a", "b", "c"), true},
		"two are not":                                 {fail("a", "b"), false},
		"one event that fails for ever is not":        {fail("a", "a", "a", "a", "a", "a"), false},
		"two that take turns are not":                 {fail("a", "b", "a", "b", "a", "b"), false},
		"one among them that is repeated counts once": {fail("a", "b", "b", "a", "c"), true},
		"a success between them ends it":              {fail("a", "b", "ok", "c"), false},
		"and it can begin anew":                       {fail("a", "b", "ok", "a", "b", "c"), true},
		"what is long ago does not count":             {fail("a", "b", "later", "c"), false},
	} {
		t.Run(name, func(t *testing.T) {
			g, c := testGate(t)
			if got := tc.do(g, c); got != tc.want {
				t.Errorf("outage %v", got)
			}
		})
	}
}

func TestAnOutageIsProbedByOneEventAtATime(t *testing.T) {
	g, c := testGate(t)
	for i := range 3 {
		g.failed(ticket{}, fmt.Sprint(i), 0, c.now)
	}
	if g.window() != 1 {
		t.Error(g.window())
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		mustHold(t, g, c, wait*time.Second)
		c.pass(wait * time.Second)
		probe := mustFetch(t, g, c)
		if !probe.probe {
			t.Fatal("it is no probe")
		}
		mustHold(t, g, c, 0)
		if reason := g.arrived(probe, 0); reason != "" {
			t.Fatal(reason)
		}
		if outage, begins := g.failed(probe, "p", 0, c.now); !outage || begins {
			t.Fatal(outage, begins)
		}
		g.leave(probe)
	}
	c.pass(30 * time.Second)
	probe := mustFetch(t, g, c)
	if !g.succeeded() {
		t.Error("a success does not end it")
	}
	if g.window() != 8 {
		t.Error(g.window())
	}
	mustFetch(t, g, c)
	g.leave(probe)
}

func TestWhatArrivesInAnOutageIsNotTried(t *testing.T) {
	g, c := testGate(t)
	early := mustFetch(t, g, c)
	for i := range 3 {
		g.failed(ticket{}, fmt.Sprint(i), 0, c.now)
	}
	if reason := g.arrived(early, 0); reason != Outage {
		t.Error(reason)
	}
}

func TestAFailureFromBeforeAnOutageDoesNotDelayTheProbe(t *testing.T) {
	g, c := testGate(t)
	early := mustFetch(t, g, c)
	for i := range 3 {
		g.failed(ticket{}, fmt.Sprint(i), 0, c.now)
	}
	c.pass(time.Second)
	if outage, _ := g.failed(early, "e", 0, c.now); !outage {
		t.Error("it counts")
	}
	if !mustFetch(t, g, c).probe {
		t.Error("no probe")
	}
}

func TestAProbeHeedsRetryAfterWithinReason(t *testing.T) {
	g, c := testGate(t)
	for i := range 3 {
		g.failed(ticket{}, fmt.Sprint(i), 10*time.Second, c.now)
	}
	mustHold(t, g, c, 10*time.Second)
	c.pass(10 * time.Second)
	probe := mustFetch(t, g, c)
	g.failed(probe, "p", time.Hour, c.now)
	g.leave(probe)
	mustHold(t, g, c, 30*time.Second)
}

func TestAnInboxThatIsDownIsAskedBeforeAnythingIsFetched(t *testing.T) {
	g, c := testGate(t)
	early := mustFetch(t, g, c)
	if !g.inboxFailed(c.now) || g.inboxFailed(c.now) {
		t.Error("it begins once")
	}
	if reason := g.arrived(early, 0); reason != InboxUnavailable {
		t.Error(reason)
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		mustHold(t, g, c, wait*time.Second)
		c.pass(wait * time.Second)
		if s, _, _, _ := g.next(c.now); s != askInbox {
			t.Fatal(s)
		}
		g.inboxFailed(c.now)
	}
	g.inboxAnswered()
	mustFetch(t, g, c)
}

func TestAQueueThatTakesNothingIsGivenTime(t *testing.T) {
	g, c := testGate(t)
	g.settleFailed(c.now)
	mustHold(t, g, c, time.Second)
	c.pass(time.Second)
	g.leave(mustFetch(t, g, c))
	g.settleFailed(c.now)
	mustHold(t, g, c, 2*time.Second)
	g.settled()
	mustFetch(t, g, c)
}
