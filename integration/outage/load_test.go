package outage

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
)

const (
	// promised is how late an answer may be. The promise is 550 ms; a machine
	// that tests several packages at once gets some more.
	promised = 1200 * time.Millisecond

	// settled is how long after the end of a fault every event is taken. The
	// claim of one in doubt is renewed for 10 s at most, and lasts 2 s more.
	settled = 40 * time.Second
)

// load posts new events to a hook, and each again with the same ID until it is
// taken, as a sender does.
type load struct {
	t      *testing.T
	url    string
	name   string // the beginning of its event IDs
	client *http.Client
	quit   chan struct{} // closed when there are no new events any more
	giveUp func()        // gives those up that are not taken
	over   chan struct{} // closed by giveUp
	done   sync.WaitGroup

	pace     time.Duration // of each sender
	bound    time.Duration // for each answer
	tolerant bool          // a connection may end without an answer, as in a reload

	mu      sync.Mutex
	extra   []string // event IDs to be posted beside
	events  map[string]*fate
	codes   map[string]int // answers by code
	slowest time.Duration
}

// fate is what became of an event.
type fate struct {
	answers []string // codes
	taken   bool
	doubt   bool // its outcome was unknown once
}

const (
	senders = 6
	pace    = 10 * time.Millisecond // of each sender, where a test says nothing else
	held    = 40                    // events that a sender has still to send again at most
)

// startLoad starts to post. settle ends it.
func startLoad(t *testing.T, e *edge.Edge, path, name string, change ...func(*load)) *load {
	l := &load{
		t: t, url: e.URL(path), name: name,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: time.Minute},
		quit:   make(chan struct{}), over: make(chan struct{}),
		pace: pace, bound: promised,
		events: make(map[string]*fate), codes: make(map[string]int),
	}
	for _, c := range change {
		c(l)
	}
	l.giveUp = sync.OnceFunc(func() { close(l.over) })
	for s := range senders {
		l.done.Go(func() { l.send(s) })
	}
	t.Cleanup(func() { // of a test that ends early
		l.giveUp()
		l.done.Wait()
	})
	return l
}

// send is one sender. It posts new events and old ones in turn.
func (l *load) send(sender int) {
	var again []string
	tick := time.NewTicker(l.pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-l.over:
			return
		case <-tick.C:
		}
		id := l.next()
		switch {
		case id != "":
		case len(again) > 0 && (n%2 == 0 || len(again) >= held || l.stopped()):
			id, again = again[0], again[1:]
		case l.stopped():
			return
		default:
			id = fmt.Sprintf("%s-%d-%d", l.name, sender, n)
		}
		if !l.post(id) {
			again = append(again, id)
		}
	}
}

// also posts these events beside the others.
func (l *load) also(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.extra = append(l.extra, ids...)
}

func (l *load) next() (id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.extra) > 0 {
		id, l.extra = l.extra[0], l.extra[1:]
	}
	return id
}

func (l *load) stopped() bool {
	select {
	case <-l.quit:
		return true
	default:
		return false
	}
}

// post posts an event once, and reports whether it was taken.
func (l *load) post(id string) bool {
	begin := time.Now()
	a, err := send(l.client, l.url, payload(id))
	took := time.Since(begin)
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.events[id]
	if f == nil {
		f = new(fate)
		l.events[id] = f
	}
	if err != nil {
		f.doubt = true
		f.answers = append(f.answers, "none")
		l.codes["none"]++
		if !l.tolerant {
			l.t.Errorf("%s has no answer: %v", id, err)
		}
		return false
	}
	code := a.code()
	if flaw := a.flaw(); flaw != "" {
		l.t.Errorf("%s: %s: %d %s", id, flaw, a.status, a.raw)
	}
	if took > l.bound {
		l.t.Errorf("%s was answered after %s: %d %s", id, took, a.status, a.raw)
	}
	if code == "duplicate" && !f.doubt {
		l.t.Errorf("%s is called a duplicate after %q", id, f.answers)
	}
	f.answers = append(f.answers, code)
	f.taken = f.taken || a.ok()
	f.doubt = f.doubt || code == "outcome_unknown"
	l.codes[code]++
	l.slowest = max(l.slowest, took)
	return a.ok()
}

// seen returns how many answers had a code.
func (l *load) seen(code string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.codes[code]
}

// troubled returns how many answers were no 2xx.
func (l *load) troubled() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for code, count := range l.codes {
		if code != "accepted" && code != "duplicate" {
			n += count
		}
	}
	return n
}

// serves waits until new events are taken one after the other, as on a good
// day.
func (l *load) serves(limit time.Duration) {
	l.t.Helper()
	const enough = 20
	begin, row := time.Now(), 0
	edge.Eventually(l.t, limit, "events are taken as on a good day", func() bool {
		id := fmt.Sprintf("%s-good-%d", l.name, time.Since(begin))
		if !l.post(id) {
			row = 0
			l.also(id)
			return false
		}
		row++
		return row == enough
	})
	l.t.Logf("normal service after %s", time.Since(begin).Round(10*time.Millisecond))
}

// settle posts nothing new any more, and waits until all is taken.
func (l *load) settle() {
	l.t.Helper()
	begin := time.Now()
	close(l.quit)
	late := time.AfterFunc(settled, l.giveUp)
	l.done.Wait()
	late.Stop()
	l.client.CloseIdleConnections()
	for id, f := range l.events {
		if !f.taken {
			l.t.Errorf("%s was not taken: %q", id, f.answers)
		}
	}
	l.t.Logf("%d events, the slowest answer after %s, all taken after %s more; answers: %v", len(l.events),
		l.slowest.Round(time.Millisecond), time.Since(begin).Round(10*time.Millisecond), l.codes)
}

// checkQueues is check with what is in these queues together.
func (l *load) checkQueues(queues ...string) {
	l.t.Helper()
	there := make(map[string]int)
	for _, q := range queues {
		for id, ds := range drain(l.t, "/", q) {
			there[id] += len(ds)
		}
	}
	l.check(there)
}

// check holds what was answered against what is there, by event ID: each event
// that was taken is there, and there once, unless nobody could know.
func (l *load) check(there map[string]int) {
	l.t.Helper()
	copies := 0
	for _, id := range slices.Sorted(maps.Keys(l.events)) {
		f := l.events[id]
		switch n := there[id]; {
		case f.taken && n == 0:
			l.t.Errorf("%s was taken and is not there: %q", id, f.answers)
		case n > 1 && !f.doubt:
			l.t.Errorf("%s is there %d times: %q", id, n, f.answers)
		case n > 1:
			copies += n - 1
		}
	}
	if copies > 0 {
		l.t.Logf("%d copies of events that were in doubt", copies)
	}
}
