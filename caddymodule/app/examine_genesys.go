package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/ipranges"
	"github.com/hookgate/hookgate/genesys/live"
)

// examine looks whether Genesys Cloud says from where it sends, and how old the
// list is that was kept.
func (g *Genesys) examine(ctx context.Context, x Examination) []doctor.Finding {
	n := &doctor.Notes{About: g.host()}
	g.kept(ctx, n, x.Storage)
	if x.Offline {
		n.Excuse("genesys.reach", "not asked: --offline")
		return n.List
	}
	dates := &dateReader{next: http.DefaultTransport.(*http.Transport).Clone()}
	defer dates.next.CloseIdleConnections()
	client, err := genesys.New(genesys.Options{
		Environment: g.env, Credentials: g.credentials, Transport: dates, Timeout: x.Timeout, Attempts: 1,
	})
	if err != nil {
		n.Fail("genesys.reach", err.Error(), "correct the option genesys")
		return n.List
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, questions*x.Timeout)
	defer cancel()
	raw, err := genesys.API{Sender: client}.IPRanges(ctx)
	if err != nil {
		g.refused(n, err)
		return n.List
	}
	n.OK("genesys.reach", "it takes the OAuth client, and says from where it sends")
	services(n, raw, x.Services)
	if date, before, after := dates.last(); !date.IsZero() {
		n.Clock("genesys.clock", date, before.Add(-time.Second), after) // it is in whole seconds
	}
	return n.List
}

// host is that of the API.
func (g *Genesys) host() string {
	u, err := url.Parse(g.env.API)
	if err != nil {
		return ""
	}
	return u.Host
}

// refused notes why there was no answer.
func (g *Genesys) refused(n *doctor.Notes, err error) {
	advice := "let this machine reach it over HTTPS, or correct the region: the last good list stays meanwhile"
	if e, ok := errors.AsType[*genesys.Error](err); ok && e.Advice() != "" {
		advice = e.Advice()
	}
	seen, _, _ := strings.Cut(err.Error(), "; ") // behind it is the advice
	n.Fail("genesys.reach", seen, advice)
}

// services notes whether there are addresses for what hooks go by.
func services(n *doctor.Notes, raw []byte, wanted []string) {
	entries, err := ipranges.Read(raw)
	if err != nil {
		n.Fail("genesys.services", err.Error(), "look into the log: the last good list stays, and new addresses get 403")
		return
	}
	var none []string
	for _, service := range wanted {
		if len(ipranges.Select(entries, []string{service})) == 0 {
			none = append(none, service)
		}
	}
	if none != nil {
		n.Fail("genesys.services", "no addresses are for "+strings.Join(none, ", "), "correct allow genesys: Genesys has "+strings.Join(ipranges.Services(entries), ", "))
		return
	}
	n.OK("genesys.services", fmt.Sprintf("%d ranges", len(ipranges.Select(entries, nil))))
}

// kept notes how old the list is that is there after a restart.
func (g *Genesys) kept(ctx context.Context, n *doctor.Notes, s live.Storage) {
	const check = "genesys.kept"
	if s == nil {
		n.Excuse(check, "the storage of this config is not on this machine")
		return
	}
	stats, err := live.Look(ctx, s, g.key())
	days := int(stats.Age.Hours() / 24)
	switch {
	case err != nil:
		n.Skip(check, "the list that was kept cannot be read: "+err.Error(), "run this as the user that runs the service")
	case !stats.Known:
		n.OK(check, "none was kept yet: it is fetched at the start")
	case stats.Age > live.OldAge:
		n.Warn(check, fmt.Sprintf("the list that was kept is %d days old", days), "look into the log of the service: it has not been confirmed since, and a sender with a new address gets 403")
	default:
		n.OK(check, fmt.Sprintf("%d ranges, confirmed %s ago", stats.Ranges, stats.Age.Round(time.Minute)))
	}
}

// dateReader remembers when the last answer says that it was made.
type dateReader struct {
	next *http.Transport

	mu                  sync.Mutex
	date, before, after time.Time
}

// RoundTrip implements http.RoundTripper.
func (d *dateReader) RoundTrip(r *http.Request) (*http.Response, error) {
	before := time.Now()
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.mu.Lock()
		d.date, d.before, d.after = date, before, time.Now()
		d.mu.Unlock()
	}
	return resp, nil
}

func (d *dateReader) last() (date, before, after time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.date, d.before, d.after
}
