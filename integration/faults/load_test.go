package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/ledger"
)

const (
	senders = 8
	pace    = 20 * time.Millisecond // of each sender: 400 requests a second at the most
	resend  = 300 * time.Millisecond

	// patience is how long after its last event a sender goes on to send those
	// again that were not taken.
	patience = 60 * time.Second
)

// load posts new events to the edges in turn, and each again with the same ID
// until it is taken. Of those that were taken it sends some once more.
type load struct {
	ledger.Ledger
	t      *testing.T
	site   *site
	client *http.Client
	quit   chan struct{} // closed when there are no new events any more
	done   sync.WaitGroup
}

func startLoad(t *testing.T, s *site) *load {
	l := &load{
		t: t, site: s, quit: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: 10 * time.Second},
	}
	for n := range senders {
		l.done.Go(func() { l.send(n) })
	}
	return l
}

// waiting is an event that was not taken yet.
type waiting struct {
	id  string
	due time.Time
}

// send is one sender.
func (l *load) send(sender int) {
	var again []waiting
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var end time.Time
	for n := 0; ; n++ {
		now := <-tick.C
		if end.IsZero() && l.stopped() {
			end = now.Add(patience)
		}
		var id string
		switch {
		case len(again) > 0 && !now.Before(again[0].due) && (n%2 == 0 || !end.IsZero()):
			id, again = again[0].id, again[1:]
		case end.IsZero():
			id = fmt.Sprintf("%s-%d-%d", l.site.prefix, sender, n)
		case len(again) == 0, now.After(end):
			return
		default:
			continue
		}
		a := l.post(id, n)
		switch {
		case !a.Taken():
			again = append(again, waiting{id: id, due: time.Now().Add(resend)})
		case n%20 == 0 && a.Code != "duplicate" && end.IsZero():
			l.post(id, n+1) // at the other edge
		}
	}
}

func (l *load) stopped() bool {
	select {
	case <-l.quit:
		return true
	default:
		return false
	}
}

// post posts an event to one of the edges.
func (l *load) post(id string, n int) ledger.Answer {
	a := ledger.Answer{At: time.Now(), Code: "none"}
	defer func() { l.Note(id, a) }()
	url := l.site.edges[n%len(l.site.edges)].URL(hookPath)
	resp, err := l.client.Post(url, "application/json", strings.NewReader(fmt.Sprintf(event, id)))
	if err != nil {
		a.Took = time.Since(a.At)
		return a
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a.Took = time.Since(a.At)
	if err != nil {
		return a
	}
	var body struct{ Status, Code json.RawMessage }
	_ = json.Unmarshal(raw, &body)
	a.Status, a.Code = resp.StatusCode, word(body.Code)
	if a.Taken() {
		a.Code = word(body.Status)
	} else if a.Status != http.StatusServiceUnavailable && a.Status != http.StatusGatewayTimeout || resp.Header.Get("Retry-After") == "" {
		l.t.Errorf("%s: an answer that does not have it sent again: %d %s", id, a.Status, raw)
	}
	return a
}

func word(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// flows waits until so many more events were taken.
func (l *load) flows(more int) {
	l.t.Helper()
	want := l.Taken() + more
	edge.Eventually(l.t, time.Minute, "events are taken", func() bool { return l.Taken() >= want })
}

// settle posts nothing new any more, waits until all is taken and processed,
// and holds what was answered against what is there.
func (l *load) settle(name string) {
	l.t.Helper()
	close(l.quit)
	l.done.Wait()
	l.client.CloseIdleConnections()
	var (
		found ledger.Found
		err   error
		r     ledger.Report
	)
	edge.Within(90*time.Second, func() bool {
		if found, err = l.site.found(); err != nil {
			return false
		}
		r = l.Check(found, l.site.faults, bounds())
		return len(r.Missing) == 0
	})
	if err != nil {
		l.t.Error(err)
	}
	for _, broken := range r.Broken() {
		l.t.Error(broken)
	}
	report.add(name, r)
	l.t.Logf("%d events, answers %v, slowest %s, recovery %s", r.Events, r.Codes, r.Slowest.Round(time.Millisecond), r.Recovery.Round(time.Millisecond))
}

const event = `{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound",` +
	`"contactId":"98765432-10fe-dcba-0987-654321fedcba","contactNumber":"+14155551234","callOutcome":"answered",` +
	`"agentId":null,"agentName":null,"callDurationSeconds":142,"timestamp":"2024-05-14T18:32:11.450Z","webhookEventId":"%s"}`

// seen returns how many answers had a code.
func (l *load) seen(code string) int { return l.Codes()[code] }
