package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/hook"
)

// The virtual host and the users of the definitions that are shipped.
const (
	definitions   = "../../deploy/rabbitmq/definitions.json"
	sharedVhost   = "hooks"
	edgeUser      = "hookgate-edge"
	consumerUser  = "hookgate-consumer"
	operatorUser  = "hookgate-operator"
	usersPassword = "s3cret/with%signs"
)

// imported loads the definitions into the shared broker, gives their users a
// password and empties their queues.
func imported(t *testing.T) {
	t.Helper()
	r := broker(t)
	file, err := filepath.Abs(definitions)
	if err != nil {
		t.Fatal(err)
	}
	r.Ctl(t, "import_definitions", file)
	for _, user := range []string{edgeUser, consumerUser, operatorUser} {
		r.Ctl(t, "change_password", user, usersPassword)
	}
	r.Ctl(t, "set_permissions", "-p", sharedVhost, "guest", ".*", ".*", ".*")
	ch := channel(t, "guest", "guest", sharedVhost)
	n := NamesOf(DefaultPrefix)
	for _, queue := range []string{n.EventsIn, n.Dead} {
		if _, err := ch.QueuePurge(queue, false); err != nil {
			t.Fatal(err)
		}
	}
}

// channel returns a channel of a user's.
func channel(t *testing.T, user, password, vhost string) *amqp.Channel {
	t.Helper()
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: broker(t).Addr, Path: "/" + vhost}
	c, err := amqp.Dial(u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// as are the options of a user of the definitions.
func as(user string, topology Topology) func(*Options) {
	return func(o *Options) {
		o.Vhost, o.Prefix, o.Topology = sharedVhost, DefaultPrefix, topology
		o.Credentials = func(context.Context) (Credentials, error) { return Credentials{user, usersPassword}, nil }
	}
}

// workers makes the queues of two consumers that are not Hookgate's, and lets
// the edge see them, as docs/servers.md says.
func workers(t *testing.T) {
	t.Helper()
	broker(t).Ctl(t, "set_permissions", "-p", sharedVhost, edgeUser, "^$", `^(hookgate(\.(dlx|celery|direct|events|dead))?|crm|celery)$`, "^$")
	ch, n := channel(t, "guest", "guest", sharedVhost), NamesOf(DefaultPrefix)
	for queue, exchange := range map[string]string{"crm": n.Direct, "celery": n.Celery} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(queue, queue, exchange, false, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = ch.QueueDelete(queue, false, false, false) })
	}
}

func TestTheEdgesUserDoesItsWork(t *testing.T) {
	imported(t)
	workers(t)
	q := open(t, broker(t).Addr, as(edgeUser, Passive))
	defer q.Expect("crm", false)()
	defer q.Expect("celery", true)()

	mustPublish(t, q, sample("plain"))
	direct := sample("direct")
	direct.Queue = "crm"
	mustPublish(t, q, direct)
	task := sample("task")
	task.Queue, task.Task = "celery", "app.tasks.take"
	mustPublish(t, q, task)
	eventually(t, "an event is parked", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := q.Park(ctx, sample("parked"), hook.Fault{Kind: hook.KindInvalid})
		return err == nil
	})
	eventually(t, "all are counted", func() bool {
		n, err := q.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n == hook.Counts{Ready: 3, Dead: 1}
	})
	s := q.Stats()
	if s.Failures != 0 || s.Channels != 0 || s.Returned != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheEdgesUserMayDoNothingElse(t *testing.T) {
	imported(t)
	n := NamesOf(DefaultPrefix)
	for name, try := range map[string]func(*amqp.Channel) error{
		"declare a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(n.EventsIn+".other", true, false, false, false, nil)
			return err
		},
		"declare a queue that is there": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(n.EventsIn, true, false, false, false, eventsArguments(n))
			return err
		},
		"declare an exchange": func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(n.Events, amqp.ExchangeTopic, true, false, false, false, nil)
		},
		"delete a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(n.EventsIn, false, false, false)
			return err
		},
		"delete an exchange": func(ch *amqp.Channel) error { return ch.ExchangeDelete(n.Events, false, false) },
		"purge a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(n.Dead, false)
			return err
		},
		"bind a queue":   func(ch *amqp.Channel) error { return ch.QueueBind(n.EventsIn, "#", n.DeadLetter, false, nil) },
		"unbind a queue": func(ch *amqp.Channel) error { return ch.QueueUnbind(n.EventsIn, "#", n.Events, nil) },
		"bind an exchange": func(ch *amqp.Channel) error {
			return ch.ExchangeBind(n.Events, "#", n.DeadLetter, false, nil)
		},
		"consume": func(ch *amqp.Channel) error {
			_, err := ch.Consume(n.EventsIn, "", false, false, false, false, nil)
			return err
		},
		"get": func(ch *amqp.Channel) error {
			_, _, err := ch.Get(n.Dead, false)
			return err
		},
		"publish to the default exchange": func(ch *amqp.Channel) error { return publishTo(ch, "", n.EventsIn) },
		"publish to amq.topic":            func(ch *amqp.Channel) error { return publishTo(ch, "amq.topic", "k") },
	} {
		if err := try(channel(t, edgeUser, usersPassword, sharedVhost)); !isCode(err, amqp.AccessRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := amqp.Dial(fmt.Sprintf("amqp://%s:%s@%s/", edgeUser, url.PathEscape(usersPassword), broker(t).Addr)); !isCode(err, amqp.NotAllowed) {
		t.Errorf("another virtual host: %v", err)
	}
}

func TestTheConsumersUserDoesItsWorkAndNothingElse(t *testing.T) {
	imported(t)
	addr := broker(t).Addr
	q := open(t, addr, as(edgeUser, Passive))
	for _, id := range []string{"done", "later", "dead"} {
		mustPublish(t, q, sample(id))
	}
	var opts SourceOptions
	as(consumerUser, Passive)(&opts.Options)
	opts.Servers = []Server{{Addr: addr}}
	option, logs := logged()
	option(&opts.Options)
	s, err := NewSource(opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	s.Prefetch(3)
	for range 3 {
		d := receive(t, s)
		settle(t, d.Event().ID, func(ctx context.Context) error {
			switch d.Event().ID {
			case "later":
				return d.Later(ctx, 0, &hook.Fault{Kind: hook.KindTransient})
			case "dead":
				return d.Dead(ctx, hook.Fault{Kind: hook.KindPermanent})
			}
			return d.Done(ctx)
		})
	}
	eventually(t, "one is dead", func() bool {
		n, err := q.Counts(t.Context())
		return err == nil && n == hook.Counts{Dead: 1}
	})
	if d := receive(t, s); d.Event().ID != "later" {
		t.Errorf("%s came back", d.Event().ID)
	}
	eventually(t, "it sees what waits", func() bool {
		d, ok := s.Depth()
		return ok && d.Dead == 1 && len(d.Tiers) == len(DefaultRetry())
	})
	if blind := logs.FilterMessageSnippet("may not look").All(); len(blind) > 0 {
		t.Error(blind)
	}
	n := NamesOf(DefaultPrefix)
	for what, try := range map[string]func(*amqp.Channel) error{
		"publish an event": func(ch *amqp.Channel) error { return publishTo(ch, n.Events, "k") },
		"read the dead letters": func(ch *amqp.Channel) error {
			_, _, err := ch.Get(n.Dead, true)
			return err
		},
		"declare a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("mine", true, false, false, false, nil)
			return err
		},
	} {
		if err := try(channel(t, consumerUser, usersPassword, sharedVhost)); !isCode(err, amqp.AccessRefused) {
			t.Errorf("it may %s: %v", what, err)
		}
	}
}

// publishTo returns why the server closed the channel after a message.
func publishTo(ch *amqp.Channel, exchange, key string) error {
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirm, err := ch.PublishWithDeferredConfirm(exchange, key, true, false, amqp.Publishing{})
	if err != nil {
		return err
	}
	<-confirm.Done()
	if confirm.Acked() {
		return nil
	}
	return <-closed
}

// As of RabbitMQ 4.2.6 and newer, where the definitions are older: before, to
// look needs no right.
func TestAnEdgeThatMayNotLookPublishes(t *testing.T) {
	imported(t)
	broker(t).Ctl(t, "set_permissions", "-p", sharedVhost, edgeUser, "^$", `^hookgate(\.dlx|\.celery|\.direct)?$`, "^$")
	option, logs := logged()
	q := open(t, broker(t).Addr, as(edgeUser, Passive), option)
	for i := range 3 {
		looked := q.topology.lastLook()
		q.topology.suspect()
		mustPublish(t, q, sample(fmt.Sprintf("plain-%d", i)))
		eventually(t, "it has looked again", func() bool { return q.topology.lastLook().After(looked) })
	}
	if _, err := q.Park(t.Context(), sample("parked"), hook.Fault{Kind: hook.KindInvalid}); err != nil {
		t.Error(err)
	}
	want := 0
	if blind(t) {
		want = 2 // the queues; to the exchanges there is a right
		if _, err := q.Counts(t.Context()); !errors.Is(err, ErrMayNotRead) {
			t.Errorf("counts: %v", err)
		}
	}
	if got := logs.FilterMessageSnippet("may not look").Len(); got != want {
		t.Errorf("%d warnings instead of %d: %v", got, want, logs.All())
	}
	if s := q.Stats(); s.Failures != 0 || s.Channels != 0 {
		t.Errorf("%+v", s)
	}
}

// blind reports whether the broker lets only those look who have a right.
func blind(t *testing.T) bool {
	t.Helper()
	r := broker(t)
	r.Ctl(t, "set_permissions", "-p", sharedVhost, operatorUser, "^$", "^$", "^$")
	_, err := channel(t, operatorUser, usersPassword, sharedVhost).
		QueueDeclarePassive(NamesOf(DefaultPrefix).EventsIn, true, false, false, false, nil)
	if err != nil && !isCode(err, amqp.AccessRefused) {
		t.Fatal(err)
	}
	return err != nil
}

func TestTheOperatorsUserMayLookAndNotChange(t *testing.T) {
	imported(t)
	edge := open(t, broker(t).Addr, as(edgeUser, Passive))
	mustPublish(t, edge, sample("plain"))
	eventually(t, "an event is parked", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := edge.Park(ctx, sample("parked"), hook.Fault{Kind: hook.KindInvalid})
		return err == nil
	})
	q := unstarted(t, as(operatorUser, Passive))
	for state, want := range map[hook.QueueState]string{hook.StateReady: "plain", hook.StateDead: "parked"} {
		for range 2 { // the second look finds what the first gave back
			eventually(t, "it is seen", func() bool {
				entries, err := q.Peek(t.Context(), state, 0, 10)
				if err != nil {
					t.Fatal(err)
				}
				return len(entries) == 1 && entries[0].Event.ID == want
			})
		}
	}
	n := NamesOf(DefaultPrefix)
	for name, try := range map[string]func(*amqp.Channel) error{
		"delete a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(n.EventsIn, false, false, false)
			return err
		},
		"declare a queue": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("other", true, false, false, false, nil)
			return err
		},
		"get from another queue":          func(ch *amqp.Channel) error { return getFromOther(t, ch) },
		"publish to the default exchange": func(ch *amqp.Channel) error { return publishTo(ch, "", n.EventsIn) },
	} {
		if err := try(channel(t, operatorUser, usersPassword, sharedVhost)); !isCode(err, amqp.AccessRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func getFromOther(t *testing.T, ch *amqp.Channel) error {
	workers(t)
	_, _, err := ch.Get("crm", false)
	return err
}

func TestTheEdgesUserMayNotPeekAndIsToldSo(t *testing.T) {
	imported(t)
	q := unstarted(t, as(edgeUser, Passive))
	for _, state := range []hook.QueueState{hook.StateReady, hook.StateDead} {
		if _, err := q.Peek(t.Context(), state, 0, 1); !isCode(err, amqp.AccessRefused) || !errors.Is(err, ErrMayNotRead) {
			t.Errorf("%s: %v", state, err)
		}
	}
	if _, err := q.Counts(t.Context()); err != nil {
		t.Errorf("counts: %v", err)
	}
}

func TestAUserWithoutRightsToDeclareIsWarnedOfOnceAndWorks(t *testing.T) {
	imported(t)
	workers(t)
	option, logs := logged()
	q := open(t, broker(t).Addr, as(edgeUser, Declare), option)
	defer q.Expect("crm", false)()
	for i := range 3 {
		looked := q.topology.lastLook()
		q.topology.suspect()
		mustPublish(t, q, sample(fmt.Sprintf("plain-%d", i)))
		eventually(t, "it has looked again", func() bool { return q.topology.lastLook().After(looked) })
	}
	direct := sample("direct")
	direct.Queue = "crm"
	mustPublish(t, q, direct)
	count := map[string]int{}
	for _, e := range logs.FilterMessageSnippet("may not declare").All() {
		count[fmt.Sprint(e.ContextMap()["entity"])]++
	}
	for entity, n := range count {
		if n != 1 {
			t.Errorf("%s: %d warnings", entity, n)
		}
	}
	n := q.routes.names
	for _, entity := range []string{"exchange " + n.Events, "queue " + n.EventsIn, "binding of " + n.EventsIn, "exchange " + n.DeadLetter, "queue " + n.Dead} {
		if count[entity] == 0 {
			t.Errorf("no warning of the %s in %v", entity, count)
		}
	}
	if s := q.Stats(); s.Failures != 0 || s.Channels != 0 {
		t.Errorf("%+v", s)
	}
}

// lastLook returns when the last look at the topology began.
func (t *topology) lastLook() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.looked
}

// The passwords that the script for compose.yaml makes are those in its
// definitions.
func TestTheSecretsOfTheComposeFileOpenRabbitMQ(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "bash", "../../deploy/secrets.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	broker(t).Ctl(t, "import_definitions", filepath.Join(dir, "definitions.json"))
	for user, file := range map[string]string{edgeUser: "rabbitmq", consumerUser: "rabbitmq_consumer", operatorUser: "rabbitmq_operator"} {
		password, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		channel(t, user, string(password), sharedVhost)
	}
}

// unstarted returns a queue that looks and does not publish.
func unstarted(t *testing.T, change ...func(*Options)) *Queue {
	t.Helper()
	opts := Options{Servers: []Server{{Addr: broker(t).Addr, Host: "localhost"}}}
	for _, c := range change {
		c(&opts)
	}
	q, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
