package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

func TestAnEventIsARow(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	ev := sample("conv-1")
	must(t, h, ev, hook.Ours)
	var id, name, body string
	var sum []byte
	var at time.Time
	var replay, attempt int
	if err := d.connect().QueryRow(t.Context(), "select event_id, hook, received_at, body->>'contactNumber', fingerprint, replay, attempt from hookgate.events").
		Scan(&id, &name, &at, &body, &sum, &replay, &attempt); err != nil {
		t.Fatal(err)
	}
	if id != ev.ID || name != ev.Hook || !at.Equal(ev.ReceivedAt) || body != "+49 170 0000000" || [32]byte(sum) != ev.Fingerprint || replay != 1 || attempt != 2 {
		t.Error(id, name, at, body, sum, replay, attempt)
	}
	other := sample("conv-2")
	other.ReceivedAt = time.Time{}
	must(t, h, other, hook.Ours)
	if n := d.number("select count(*) from hookgate.events where received_at is null"); n != 1 {
		t.Error(n)
	}
	d.holds(2, 2)
}

func TestADuplicateIsAnsweredWithTheFingerprintOfTheFirst(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	ev := sample("conv-1")
	must(t, h, ev, hook.Ours)
	must(t, h, ev, hook.Committed)
	other := *ev
	other.Fingerprint = hook.Fingerprint{9}
	if state, fp, err := once(h, &other); err != nil || state != hook.Committed || fp != ev.Fingerprint {
		t.Error(state, fp, err)
	}
	d.holds(1, 1)
	replay := *ev
	replay.Replay++
	must(t, h, &replay, hook.Ours)
	d.holds(2, 2)
}

func TestOfTwoDeliveriesAtOnceOneWrites(t *testing.T) {
	d := newDatabase(t)
	handlers := []*Handler{d.open(), d.open()}
	const events = 100
	var ours, committed atomic.Int64
	for i := range events {
		var both sync.WaitGroup
		for _, h := range handlers {
			both.Go(func() {
				switch state, _, err := once(h, sample(fmt.Sprint(i))); {
				case err != nil:
					t.Error(err)
				case state == hook.Ours:
					ours.Add(1)
				case state == hook.Committed:
					committed.Add(1)
				}
			})
		}
		both.Wait()
	}
	if ours.Load() != events || committed.Load() != events {
		t.Error(ours.Load(), committed.Load())
	}
	d.holds(events, events)
}

func TestASecondDeliveryWaitsForTheFirst(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*database) // of what holds the first up
		want hook.State      // of the second
	}{
		"which commits": {func(*database) {}, hook.Committed},
		"which fails":   {(*database).sever, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			first, second := d.open(), d.open()
			release := d.hold()
			defer release()
			var all sync.WaitGroup
			all.Go(func() { _, _, _ = once(first, sample("conv-1")) })
			d.held(1)
			var state hook.State
			all.Go(func() { state, _, _ = once(second, sample("conv-1")) })
			d.held(2)
			c.end(d)
			release()
			all.Wait()
			if state != c.want {
				t.Errorf("%v, want %v", state, c.want)
			}
			eventually(t, "the event is there", func() bool { state, _, err := once(second, sample("conv-1")); return err == nil && state != 0 })
			d.holds(1, 1)
		})
	}
}

func TestADeliveryThatWaitsTooLongForAnotherIsPending(t *testing.T) {
	d := newDatabase(t)
	first, second := d.open(), d.open(func(o *Options) { o.Timeout = time.Second })
	release := d.hold()
	defer release()
	var all sync.WaitGroup
	all.Go(func() { must(t, first, sample("conv-1"), hook.Ours) })
	d.held(1)
	if state, _, err := once(second, sample("conv-1")); err != nil || state != hook.Pending {
		t.Error(state, err)
	}
	_, _, err := once(second, sample("conv-2")) // it is held up by the table
	fails(t, err, hook.KindTransient)
	release()
	all.Wait()
	d.holds(1, 1)
}

func TestAConnectionThatEndsBeforeTheCommitLeavesNothing(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	release := d.hold()
	defer release()
	done := make(chan error, 1)
	go func() { _, _, err := once(h, sample("conv-1")); done <- err }()
	d.held(1)
	d.sever()
	fails(t, <-done, hook.KindTransient, "57P01")
	release()
	d.holds(0, 0)
	must(t, h, sample("conv-1"), hook.Ours)
	d.holds(1, 1)
}

func TestACommitWhoseAnswerWasLostIsFound(t *testing.T) {
	d := newDatabase(t)
	p := servers.NewProxy(t, d.Addr)
	h := d.open(func(o *Options) {
		o.DSN = func() (string, error) { return strings.Replace(d.DSN(role, d.name), d.Addr, p.Addr, 1), nil }
	})
	must(t, h, sample("conv-0"), hook.Ours) // the statements are known now
	release := d.hold()
	defer release()
	done := make(chan error, 1)
	go func() { _, _, err := once(h, sample("conv-1")); done <- err }()
	d.held(1)
	p.CutReply() // of the next request, which is the commit
	release()
	fails(t, <-done, hook.KindTransient)
	eventually(t, "the commit has taken effect", func() bool { return d.number("select count(*) from hookgate.events") == 2 })
	must(t, h, sample("conv-1"), hook.Committed)
	d.holds(2, 2)
}

func TestConnectionsThatEndBetweenEventsAreReplaced(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	must(t, h, sample("conv-1"), hook.Ours)
	d.sever()
	eventually(t, "there is another connection", func() bool {
		state, _, err := once(h, sample("conv-1"))
		if err != nil {
			fails(t, err, hook.KindTransient)
		}
		return state == hook.Committed
	})
	d.holds(1, 1)
}

func TestAServerThatHangsIsWaitedForAndGivenUp(t *testing.T) {
	d := newDatabase(t)
	patient, hasty := d.open(), d.open(func(o *Options) { o.Timeout = 200 * time.Millisecond })
	must(t, patient, sample("conv-0"), hook.Ours)
	must(t, hasty, sample("conv-0"), hook.Committed)
	d.Suspend(t)
	resume := time.AfterFunc(time.Second, func() { d.Resume(t) })
	defer resume.Stop()
	var all sync.WaitGroup
	all.Go(func() { must(t, patient, sample("conv-1"), hook.Ours) })
	begin := time.Now()
	_, _, err := once(hasty, sample("conv-2"))
	fails(t, err, hook.KindTransient, "did not answer within 200ms")
	if took := time.Since(begin); took > 800*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	all.Wait()
	eventually(t, "the other is written", func() bool { state, _, err := once(hasty, sample("conv-2")); return err == nil && state != 0 })
	d.holds(3, 3)
}

func TestAServerThatIsKilledLosesAndDoublesNothing(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	const workers, each = 8, 60
	var written, refused atomic.Int64
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				ev := sample(fmt.Sprintf("conv-%d-%d", w, i))
				for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
					state, _, err := once(h, ev)
					if err == nil && (state == hook.Ours || state == hook.Committed) {
						written.Add(1)
						break
					}
					if f, ok := errors.AsType[*hook.Fault](err); err != nil && (!ok || f.Kind != hook.KindTransient) || time.Now().After(deadline) {
						t.Error(state, err)
						return
					}
					refused.Add(1)
				}
			}
		})
	}
	for i := range 3 {
		eventually(t, "some are written", func() bool { return written.Load() > int64(i+1)*workers*each/5 })
		d.Kill()
		if err := d.Start(); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was interrupted")
	}
	d.holds(workers*each, workers*each)
	if n := d.number("select count(distinct event_id) from hookgate.events"); n != workers*each {
		t.Errorf("%d different events", n)
	}
}

func TestWhatIsSetUpWronglyIsTriedAgain(t *testing.T) {
	d := newDatabase(t)
	dsn := func(s string) func(*Options) {
		return func(o *Options) { o.DSN = func() (string, error) { return s, nil } }
	}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no such table":    {func(o *Options) { o.Table = "hookgate.other" }, "42P01"},
		"no such schema":   {func(o *Options) { o.Table = "nowhere.events" }, "42P01"},
		"another case":     {func(o *Options) { o.Table = "hookgate.Events" }, "42P01"},
		"no such database": {dsn(d.DSN(role, "nothing")), "3D000"},
		"no such user":     {dsn(d.DSN("nobody", d.name)), "28000"},
		"nobody listens":   {dsn("postgres://jane:hunter2@127.0.0.1:" + servers.FreePort(t) + "/conv-1?sslmode=disable"), "refused"},
		"no such host":     {dsn("postgres://jane:hunter2@nobody.invalid/conv-1"), "resolved"},
		"a setting":        {dsn(d.DSN(role, d.name) + "&work_mem=hunter2"), "22023"},
		"the wrong TLS":    {dsn(strings.Replace(d.DSN(role, d.name), "disable", "require", 1)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := once(d.open(c.change), sample("conv-1"))
			fails(t, err, hook.KindTransient, c.want)
		})
	}
	d.holds(0, 0)
	d.do("revoke insert on hookgate.events from " + role)
	_, _, err := once(d.open(), sample("conv-1"))
	fails(t, err, hook.KindTransient, "42501")
	d.holds(0, 0)
}

func TestAnEventThatIsRefusedIsNotTriedAgain(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	d.do("alter table hookgate.events add constraint no_other_hook check (hook = 'pe-action-map');" +
		"alter table hookgate.events add contact text generated always as (body->>'contactNumber') stored not null;" +
		"create table hookgate.known (id text primary key); insert into hookgate.known values ('conv-1');" +
		"alter table hookgate.events add constraint known_id foreign key (event_id) references hookgate.known deferrable initially deferred")
	for name, c := range map[string]struct {
		change func(*hook.Event)
		want   []string
	}{
		"a constraint":           {func(ev *hook.Event) { ev.Hook = "0000000" }, []string{"23514", "no_other_hook"}},
		"a null":                 {func(ev *hook.Event) { ev.Body = []byte(`{"x":"0000000"}`) }, []string{"23502", "contact"}},
		"one that comes at last": {func(ev *hook.Event) { ev.ID = "conv-1-0000000" }, []string{"23503", "known_id"}},
		"no JSON":                {func(ev *hook.Event) { ev.Body = []byte(`0000000 hunter2`) }, []string{"22P02"}},
		"no body":                {func(ev *hook.Event) { ev.Body = nil }, []string{"22P02"}},
		"a zero in the JSON":     {func(ev *hook.Event) { ev.Body = []byte(`{"contactNumber":"\u0000"}`) }, []string{"22P05"}},
		"no UTF-8":               {func(ev *hook.Event) { ev.Body = []byte("\"\xff0000000\"") }, []string{"22021"}},
		"a zero in the ID":       {func(ev *hook.Event) { ev.ID = "conv-1\x00" }, []string{"22021"}},
	} {
		t.Run(name, func(t *testing.T) {
			ev := sample("conv-1")
			c.change(ev)
			_, _, err := once(h, ev)
			fails(t, err, hook.KindPermanent, c.want...)
			d.holds(0, 0)
		})
	}
	must(t, h, sample("conv-1"), hook.Ours)
}

func TestWithoutAnInboxEachCopyIsWritten(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	for range 2 {
		if err := h.Handle(t.Context(), sample("conv-1")); err != nil {
			t.Fatal(err)
		}
	}
	d.holds(2, 0)
	d.do("drop table hookgate.events")
	fails(t, h.Handle(t.Context(), sample("conv-1")), hook.KindTransient, "42P01")
}

func TestOldRecordsAreDeleted(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	d.do("insert into hookgate.hookgate_inbox select 'inbox:' || n, decode(repeat('00', 32), 'hex'), now() - interval '30 days 1 minute' from generate_series(1, 2500) n")
	d.do("insert into hookgate.hookgate_inbox values ('inbox:young', decode(repeat('00', 32), 'hex'), now() - interval '30 days' + interval '1 minute')")
	must(t, h, sample("conv-1"), hook.Ours)
	pool, err := h.connections()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.expire(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	d.holds(1, 2)
	must(t, h, sample("conv-1"), hook.Committed)
}

func TestACommitIsDurableWhateverIsSet(t *testing.T) {
	d := newDatabase(t)
	for _, setting := range []string{"off", "local", "on"} {
		h := d.open(func(o *Options) {
			o.DSN = func() (string, error) { return d.DSN(role, d.name) + "&synchronous_commit=" + setting, nil }
		})
		pool, err := h.connections()
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := pool.QueryRow(t.Context(), "show synchronous_commit").Scan(&got); err != nil || got == "off" {
			t.Error(setting, got, err)
		}
	}
}

func TestTheEndOfTheContextIsTheEndOfTheAttempt(t *testing.T) {
	d := newDatabase(t)
	h := d.open()
	release := d.hold()
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, _, err := h.HandleOnce(ctx, claim(sample("conv-1")), sample("conv-1")); done <- err }()
	d.held(1)
	cancel()
	fails(t, <-done, hook.KindTransient, "interrupted")
}

func TestAHandlerThatDoesNotRunFails(t *testing.T) {
	h, err := New(Options{Table: table, DSN: func() (string, error) { return "host=127.0.0.1", nil }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, _, err = once(h, sample("conv-1"))
		fails(t, err, hook.KindTransient, "not started")
		fails(t, h.Handle(t.Context(), sample("conv-1")), hook.KindTransient, "not started")
		for range 2 {
			if err := h.Start(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := h.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	dsn := func() (string, error) { return "postgres://jane@db/app", nil }
	for name, o := range map[string]Options{
		"no DSN":          {Table: table},
		"an empty DSN":    {Table: table, DSN: func() (string, error) { return " ", nil }},
		"no such DSN":     {Table: table, DSN: func() (string, error) { return "postgres://jane:hunter2@db:x/", nil }},
		"an unread DSN":   {Table: table, DSN: func() (string, error) { return "", errors.New("gone") }},
		"no table":        {DSN: dsn},
		"no schema":       {DSN: dsn, Table: "events"},
		"three parts":     {DSN: dsn, Table: "a.b.c"},
		"an empty part":   {DSN: dsn, Table: "a."},
		"a quote":         {DSN: dsn, Table: `a.b"c`},
		"a statement":     {DSN: dsn, Table: "a.b; drop table c"},
		"too long a name": {DSN: dsn, Table: "a." + strings.Repeat("b", 64)},
		"the inbox":       {DSN: dsn, Table: "a.hookgate_inbox"},
		"a bound":         {DSN: dsn, Table: table, Timeout: -1},
	} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{DSN: dsn, Table: table}); err != nil {
		t.Error(err)
	}
}
