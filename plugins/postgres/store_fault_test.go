package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/conform"
	"github.com/hookgate/hookgate/integration/servers"
)

// patience is how long an operation may take beyond its own time, on a loaded
// machine.
const patience = 400 * time.Millisecond

func TestAnAnswerThatIsLostIsNoFalseDuplicate(t *testing.T) {
	d := newDatabase(t)
	p := servers.NewProxy(t, d.Addr)
	s := d.newStore(d.behind(p))
	s.tick = time.Hour // nothing is sent by itself
	d.startStore(s)
	// Whatever is asked for the first time is described to the client first.
	warm := conform.Claim("warm", 1, 1)
	claims(t, s, warm, hook.Ours, 1)
	for _, call := range []func() error{
		func() error { _, err := s.Renew(t.Context(), warm); return err },
		func() error { return s.Commit(t.Context(), warm) },
		func() error { return s.Release(t.Context(), warm) },
	} {
		if err := call(); err != nil {
			t.Fatal(err)
		}
	}
	c := conform.Claim("k", 1, 1)
	c.Lease = time.Minute
	p.CutReply()
	claims(t, s, c, hook.Ours, 1)
	if n := s.Stats().Retries; n != 1 {
		t.Errorf("%d retries", n)
	}
	p.CutReply()
	if held, err := s.Renew(t.Context(), c); !held || err != nil {
		t.Errorf("renew: %v %v", held, err)
	}
	p.CutReply()
	if err := s.Release(t.Context(), c); err != nil {
		t.Errorf("release: %v", err)
	}
	p.CutReply()
	if err := s.Commit(t.Context(), c); err != nil {
		t.Errorf("commit: %v", err)
	}
	claims(t, s, conform.Claim("k", 2, 2), hook.Committed, 1)
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
}

// unusable checks that an error is one of the store's, with some words in it
// and no secret.
func unusable(t testing.TB, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not hold %q", err, w)
		}
	}
	for _, secret := range []string{"hunter2", "127.0.0.1", "hookgate:h:", edgeRole} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q holds %q", err, secret)
		}
	}
}

func TestAServerThatIsSuspendedHoldsNobodyUp(t *testing.T) {
	d := newDatabase(t)
	s := d.store(hasty)
	claims(t, s, conform.Claim("before", 1, 1), hook.Ours, 1)
	d.Suspend(t)
	resume := sync.OnceFunc(func() { d.Resume(t) })
	defer resume()
	var (
		all   sync.WaitGroup
		worst atomic.Int64
	)
	until := time.Now().Add(500 * time.Millisecond)
	for i := range 32 {
		all.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				begin := time.Now()
				_, _, err := s.Claim(context.Background(), conform.Claim(fmt.Sprint(i, "/", n), 1, 1))
				if took := time.Since(begin).Nanoseconds(); took > worst.Load() {
					worst.Store(took)
				}
				if !errors.Is(err, ErrTimeout) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if took := time.Duration(worst.Load()); took > 100*time.Millisecond+patience {
		t.Errorf("a claim took %s", took)
	}
	unusable(t, s.Ready(), ErrTimeout)
	if n := s.Stats().Connections; n > s.opts.Connections {
		t.Errorf("%d connections", n)
	}
	for name, call := range map[string]func(context.Context) error{
		"claim":   func(ctx context.Context) error { _, _, err := s.Claim(ctx, conform.Claim("k", 1, 1)); return err },
		"renew":   func(ctx context.Context) error { _, err := s.Renew(ctx, conform.Claim("k", 1, 1)); return err },
		"release": func(ctx context.Context) error { return s.Release(ctx, conform.Claim("k", 1, 1)) },
		"commit":  func(ctx context.Context) error { return s.Commit(ctx, conform.Claim("k", 1, 1)) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, with a deadline: %v", name, err)
		}
		cancel()
	}
	resume()
	eventually(t, "it serves again", func() bool {
		state, _, err := s.Claim(context.Background(), conform.Claim("after", 1, 1))
		return err == nil && state == hook.Ours
	})
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	if n := runtime.NumGoroutine(); n > 200 {
		t.Errorf("%d goroutines", n)
	}
}

func TestAServerThatIsKilledWhileItServesForgetsNoCommit(t *testing.T) {
	d := newDatabase(t)
	option, logs := observed()
	s := d.store(option, func(o *StoreOptions) { o.Durable = true })
	const workers, each = 8, 40
	var done, refused atomic.Int64
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				c := conform.Claim(fmt.Sprintf("%d-%d", w, i), byte(w+1), byte(i))
				for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
					_, _, err := s.Claim(context.Background(), c)
					if err == nil {
						err = s.Commit(context.Background(), c)
					}
					if err == nil {
						break
					}
					refused.Add(1)
					if time.Now().After(deadline) {
						t.Error(err)
						return
					}
				}
				done.Add(1)
			}
		})
	}
	eventually(t, "some are committed", func() bool { return done.Load() > workers*each/3 })
	d.Kill()
	eventually(t, "it is noticed", func() bool { return s.Ready() != nil })
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was interrupted")
	}
	for w := range workers {
		for i := range each {
			claims(t, s, conform.Claim(fmt.Sprintf("%d-%d", w, i), 200, 200), hook.Committed, byte(i))
		}
	}
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	eventually(t, "the log says so", func() bool { return logs.FilterMessage("postgres store can be used again").Len() >= 1 })
	if n := logs.FilterMessage("postgres store cannot be used").Len(); n < 1 || n > 10 {
		t.Errorf("the log says %d times that it cannot be used", n)
	}
}

func TestConnectionsThatTheServerEndsAreMadeAnew(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	for i := range 5 {
		d.do("select pg_terminate_backend(pid) from pg_stat_activity where usename = '" + edgeRole + "' and datname = current_database()")
		claims(t, s, conform.Claim(fmt.Sprint(i), 1, 1), hook.Ours, 1)
	}
}

func TestAServerThatIsNotThereYetIsUsedWhenItIs(t *testing.T) {
	d := newDatabase(t)
	d.Kill()
	s := d.newStore()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if s.Ready() == nil {
		t.Error("ready without an answer")
	}
	eventually(t, "it was tried", func() bool { return errors.Is(s.Ready(), ErrUnreachable) })
	unusable(t, s.Ready(), ErrUnreachable, "refused")
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	claims(t, s, conform.Claim("k", 1, 1), hook.Ours, 1)
}

func TestAPasswordThatIsMendedIsUsedAtOnce(t *testing.T) {
	d := newDatabase(t)
	const user = "with_password"
	d.do("create role " + user + " login password 'right'; grant usage on schema hookgate to " + user + "; grant select, insert, update, delete on hookgate.claims to " + user)
	d.do(`do $$ begin execute format('copy (values (''host all ` + user + ` all scram-sha-256''), (''host all all all trust'')) to %L', current_setting('hba_file')); end $$; select pg_reload_conf()`)
	var password atomic.Value
	password.Store("hunter2")
	s := d.newStore(func(o *StoreOptions) {
		o.DSN = func() (string, error) {
			return strings.Replace(d.DSN(user, d.name), user, user+":"+password.Load().(string), 1), nil
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the password is wrong", func() bool {
		err := s.Ready()
		return errors.Is(err, ErrRefused) && strings.Contains(err.Error(), "28P01")
	})
	unusable(t, s.Ready(), ErrRefused, "it does not take the password")
	password.Store("right")
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	claims(t, s, conform.Claim("k", 1, 1), hook.Ours, 1)
}

func TestATableThatIsMissingIsMigrated(t *testing.T) {
	d := newDatabase(t)
	d.do("drop table hookgate.claims, hookgate.schema_version")
	s := d.newStore()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is noticed", func() bool { return errors.Is(s.Ready(), ErrRefused) })
	_, _, err := s.Claim(t.Context(), conform.Claim("k", 1, 1))
	unusable(t, err, ErrRefused, "42P01", "run hookgate store migrate")
	made, err := Migrate(t.Context(), MigrateOptions{DSN: d.DSN("postgres", d.name), Grant: edgeRole})
	if err != nil || len(made) != len(Migrations()) {
		t.Fatal(made, err)
	}
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	d.do("drop table hookgate.claims") // under connections that knew it
	_, _, err = s.Claim(t.Context(), conform.Claim("k", 1, 1))
	unusable(t, err, ErrRefused, "run hookgate store migrate")
	d.do(Migrations()[0].SQL + "grant select, insert, update, delete on hookgate.claims to " + edgeRole)
	eventually(t, "it is ready again", func() bool { return s.Ready() == nil })
	claims(t, s, conform.Claim("k", 1, 1), hook.Ours, 1)
}

func TestAServerThatTakesNoWritesIsNotReady(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	d.do("alter role " + edgeRole + " in database " + d.name + " set default_transaction_read_only = on")
	d.do("select pg_terminate_backend(pid) from pg_stat_activity where usename = '" + edgeRole + "' and datname = current_database()")
	eventually(t, "it is noticed", func() bool { return errors.Is(s.Ready(), ErrRefused) })
	unusable(t, s.Ready(), ErrRefused, "25006", "read-only")
	d.do("alter role " + edgeRole + " in database " + d.name + " reset all")
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
}

func TestTheRoleOfTheEdgeMayDoNoMore(t *testing.T) {
	d := newDatabase(t)
	s := d.store()
	for _, sql := range []string{
		"select from hookgate.events", "select from hookgate.hookgate_inbox", "insert into hookgate.events default values",
		"drop table hookgate.claims", "truncate hookgate.claims", "alter table hookgate.claims add x int",
		"create table hookgate.mine (x int)", "create schema mine", "insert into hookgate.schema_version values (9)", "create role mine",
	} {
		_, err := s.pool.Exec(t.Context(), sql)
		if err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestAStoreThatDoesNotRunFails(t *testing.T) {
	s, err := NewStore(StoreOptions{DSN: func() (string, error) { return "host=127.0.0.1", nil }})
	if err != nil {
		t.Fatal(err)
	}
	fails := func(want error) {
		t.Helper()
		if _, _, err := s.Claim(t.Context(), conform.Claim("k", 1, 1)); !errors.Is(err, want) {
			t.Error(err)
		}
		if err := s.Ready(); !errors.Is(err, want) {
			t.Error(err)
		}
	}
	fails(ErrNotStarted)
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fails(ErrClosed)
	if err := s.Start(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
