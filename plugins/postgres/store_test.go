package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/conform"
	"github.com/hookgate/hookgate/integration/servers"
)

// edgeRole is that of deploy/postgres/schema.sql for the edge.
const edgeRole = "hookgate_edge"

// newStore returns a store with the rights of an edge, which is not started.
// Its times are long: those of a busy machine.
func (d *database) newStore(change ...func(*StoreOptions)) *Store {
	d.t.Helper()
	opts := StoreOptions{Timeout: 10 * time.Second, DSN: func() (string, error) { return d.DSN(edgeRole, d.name), nil }}
	for _, c := range change {
		c(&opts)
	}
	s, err := NewStore(opts)
	if err != nil {
		d.t.Fatal(err)
	}
	s.tick = 10 * time.Millisecond
	d.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			d.t.Error(err)
		}
	})
	return s
}

// store returns one that works.
func (d *database) store(change ...func(*StoreOptions)) *Store {
	d.t.Helper()
	s := d.newStore(change...)
	d.startStore(s)
	return s
}

func (d *database) startStore(s *Store) {
	d.t.Helper()
	if err := s.Start(); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, "the store is ready", func() bool { return s.Ready() == nil })
}

// at has the store connect in another way.
func at(dsn string) func(*StoreOptions) {
	return func(o *StoreOptions) { o.DSN = func() (string, error) { return dsn, nil } }
}

// behind has the store connect through a proxy.
func (d *database) behind(p *servers.Proxy) func(*StoreOptions) {
	return at(strings.Replace(d.DSN(edgeRole, d.name), d.Addr, p.Addr, 1))
}

func hasty(o *StoreOptions) { o.Timeout = 100 * time.Millisecond }

// claims checks the state of a key.
func claims(t testing.TB, s *Store, c hook.Claim, want hook.State, fp byte) {
	t.Helper()
	if state, sum, err := s.Claim(t.Context(), c); err != nil || state != want || sum != (hook.Fingerprint{fp}) {
		t.Fatalf("%v %d %v, want %v %d", state, sum[0], err, want, fp)
	}
}

func TestTheStoreIsOneAsAnyOther(t *testing.T) {
	for name, durable := range map[string]bool{"for the edge": false, "for an inbox": true} {
		t.Run(name, func(t *testing.T) {
			s := newDatabase(t).store(func(o *StoreOptions) { o.Durable = durable })
			conform.Store(t, s)
			conform.Restorer(t, s)
		})
	}
}

func TestOfManyWhoClaimAKeyOneWins(t *testing.T) {
	d := newDatabase(t)
	one, another := d.store(), d.store()
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) { conform.Race(t, one, another) })
	}
}

func TestALeaseEndsByItselfAndStartsAnew(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	a, b := conform.Claim("k", 1, 1), conform.Claim("k", 2, 2)
	a.Lease = 50 * time.Millisecond
	claims(t, s, a, hook.Ours, 1)
	eventually(t, "the lease has run out", func() bool {
		state, _, err := s.Claim(t.Context(), b)
		return err == nil && state == hook.Ours
	})
	if held, err := s.Renew(t.Context(), a); held || err != nil {
		t.Error("the first still holds it:", held, err)
	}
	b.Lease = time.Hour
	if held, err := s.Renew(t.Context(), b); !held || err != nil {
		t.Error("not renewed:", held, err)
	}
	if n := d.number("select count(*) from hookgate.claims where expires_at between now() + interval '59 minutes' and now() + interval '1 hour'"); n != 1 {
		t.Error("the lease is another")
	}
	c := conform.Claim("c", 3, 3)
	c.TTL = 50 * time.Millisecond
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a committed key is free again", func() bool {
		state, _, err := s.Claim(t.Context(), conform.Claim("c", 4, 4))
		return err == nil && state == hook.Ours
	})
}

// A row that has run out, and is another's by the time that it can be locked,
// says nothing of the event that was there before.
func TestAnOldRowIsNoDuplicate(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	old := conform.Claim("k", 1, 1)
	if err := s.Commit(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	d.do("update hookgate.claims set expires_at = now() - interval '1 second' where token is null")
	other := d.connect()
	if _, err := other.Exec(t.Context(), "begin; update hookgate.claims set committed_at = null, token = '\\x02', expires_at = now() + interval '1 minute' where key = '"+old.Key+"'"); err != nil {
		t.Fatal(err)
	}
	done := make(chan hook.State, 1)
	go func() { state, _, _ := s.Claim(context.Background(), conform.Claim("k", 3, 3)); done <- state }()
	eventually(t, "it waits", func() bool { return d.number("select count(*) from pg_locks where not granted") == 1 })
	if _, err := other.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	if state := <-done; state != hook.Pending {
		t.Error(state)
	}
}

func TestAKeyThatIsLockedIsPending(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	patient := s
	claims(t, patient, conform.Claim("k", 1, 1), hook.Ours, 1)
	other := d.connect()
	if _, err := other.Exec(t.Context(), "begin; select from hookgate.claims for update"); err != nil {
		t.Fatal(err)
	}
	short := d.newStore()
	short.opts.Timeout = 10 * time.Second
	c := short.opts.connector()
	c.lock = 20 * time.Millisecond
	pool, err := c.pool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	short.pool = pool
	short.phase.Store(phaseRunning)
	defer short.phase.Store(phaseNew)
	if state, _, err := short.Claim(t.Context(), conform.Claim("k", 2, 2)); state != hook.Pending || err != nil {
		t.Error(state, err)
	}
}

func TestCommitsAreListedAndCanBeGivenBack(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	const many = 2*listBatch + 10
	for from := 0; from < many; from += 100 {
		var cs []hook.Claim
		for i := from; i < min(from+100, many); i++ {
			cs = append(cs, conform.Claim(fmt.Sprint(i), 1, byte(i)))
		}
		if err := s.Commit(t.Context(), cs...); err != nil {
			t.Fatal(err)
		}
	}
	early, gone, pending := conform.Claim("early", 1, 1), conform.Claim("gone", 1, 1), conform.Claim("pending", 1, 1)
	inbox := conform.Claim("", 1, 7)
	inbox.Key = hook.InboxKey("h", "inbox", 0)
	if err := s.Commit(t.Context(), early, gone, inbox); err != nil {
		t.Fatal(err)
	}
	claims(t, s, pending, hook.Ours, 1)
	d.do("update hookgate.claims set committed_at = now() - interval '1 hour' where key = '" + early.Key + "'")
	d.do("update hookgate.claims set expires_at = now() where key = '" + gone.Key + "'")
	list := func(s *Store, within time.Duration) map[string]hook.Record {
		all := map[string]hook.Record{}
		if err := s.List(t.Context(), within, func(rs []hook.Record) error {
			for _, r := range rs {
				if _, twice := all[r.Key]; twice {
					t.Error("a key is there twice")
				}
				if r.TTL <= 0 || r.TTL > 10*time.Minute {
					t.Error(r.TTL)
				}
				all[r.Key] = r
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	lately := list(s, 30*time.Minute)
	for i := range many {
		c := conform.Claim(fmt.Sprint(i), 1, byte(i))
		if r := lately[c.Key]; r.Fingerprint != c.Fingerprint {
			t.Fatalf("%d: %v", i, r)
		}
	}
	if len(lately) != many {
		t.Errorf("%d of %d", len(lately), many)
	}
	if n := len(list(s, 2*time.Hour)); n != many+1 {
		t.Errorf("%d in two hours", n)
	}
	if n := len(list(d.store(func(o *StoreOptions) { o.Durable = true }), 2*time.Hour)); n != many+2 {
		t.Errorf("%d for an inbox", n)
	}
	enough := errors.New("enough")
	if err := s.List(t.Context(), time.Hour, func([]hook.Record) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestWhatHasRunOutIsDeletedBySeveralAtOnce(t *testing.T) {
	d := newDatabase(t)
	const old = 5 * expireBatch
	d.do(fmt.Sprintf("insert into hookgate.claims (key, fingerprint, expires_at, committed_at) select 'k' || n, decode(repeat('00', 32), 'hex'), now() - interval '1 second', now() from generate_series(1, %d) n", old))
	keep := conform.Claim("keep", 1, 1)
	edges := []*Store{d.store(), d.store(), d.store()}
	if err := edges[0].Commit(t.Context(), keep); err != nil {
		t.Fatal(err)
	}
	// What is held by another is left to it.
	other := d.connect()
	if _, err := other.Exec(t.Context(), "begin; select from hookgate.claims where key = 'k1' for update"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, s := range edges {
		all.Go(func() {
			if err := s.expire(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := d.number("select count(*) from hookgate.claims where key ~ '^k'"); n != 1 {
		t.Errorf("%d are left", n)
	}
	if n := edges[0].Stats().Expired + edges[1].Stats().Expired + edges[2].Stats().Expired; n != old-1 {
		t.Errorf("%d were counted", n)
	}
	if _, err := other.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	late := d.newStore()
	late.expiry = 10 * time.Millisecond
	d.startStore(late)
	eventually(t, "it is deleted by itself", func() bool { return d.number("select count(*) from hookgate.claims where key = 'k1'") == 0 })
	claims(t, late, conform.Claim("keep", 2, 2), hook.Committed, 1)
}

func TestHowDurableACommitIs(t *testing.T) {
	d := newDatabase(t)
	for name, c := range map[string]struct {
		durable bool
		want    string
	}{"for the edge": {false, "off"}, "for an inbox": {true, "on"}} {
		t.Run(name, func(t *testing.T) {
			s := d.store(at(d.DSN(edgeRole, d.name)+"&synchronous_commit=off"), func(o *StoreOptions) { o.Durable = c.durable })
			for setting, want := range map[string]string{
				"synchronous_commit": c.want, "statement_timeout": "20s", "lock_timeout": "10s", "transaction_isolation": "read committed",
			} {
				var got string
				if err := s.pool.QueryRow(t.Context(), "show "+setting).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %s, want %s (%v)", setting, got, want, err)
				}
			}
		})
	}
}

func TestConnectionsAreWarm(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	eventually(t, "some are open", func() bool { return s.Stats().Connections >= warm })
	// A claim waits for no statement to be prepared.
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var n int
	if err := conn.QueryRow(t.Context(), "select count(*) from pg_prepared_statements where statement like 'with mine%'").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}

// observed has a store log into the returned logs.
func observed() (func(*StoreOptions), *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return func(o *StoreOptions) { o.Logger = zap.New(core) }, logs
}

func TestStoreOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]StoreOptions{
		"no DSN":       {},
		"an empty DSN": {DSN: func() (string, error) { return " ", nil }},
		"no such DSN":  {DSN: func() (string, error) { return "postgres://jane:hunter2@db:x/", nil }},
		"a bound":      {DSN: func() (string, error) { return "host=db", nil }, Timeout: -1},
	} {
		if _, err := NewStore(o); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
