package rabbitmq

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/integration/servers"
)

// examine looks at the shared broker.
func examine(t *testing.T, change ...func(*ExamineOptions)) []doctor.Finding {
	t.Helper()
	opts := ExamineOptions{}
	opts.Servers = []Server{{Addr: broker(t).Addr, Host: "localhost"}}
	opts.Retry = []time.Duration{}
	for _, c := range change {
		c(&opts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return Examine(ctx, opts)
}

// byUser examines as a user of the definitions.
func byUser(user string) func(*ExamineOptions) {
	return func(o *ExamineOptions) { as(user, Passive)(&o.Options) }
}

// found returns the worst status of a check, and all that was seen.
func found(all []doctor.Finding, check string) (doctor.Status, string) {
	status, seen := doctor.Status(""), ""
	rank := map[doctor.Status]int{"": 0, doctor.OK: 1, doctor.Skipped: 2, doctor.Warn: 3, doctor.Fail: 4}
	for _, f := range all {
		if f.Check != check {
			continue
		}
		seen += f.Seen + "\n"
		if rank[f.Status] > rank[status] {
			status = f.Status
		}
	}
	return status, seen
}

// expect holds the worst statuses of checks against those that are wanted.
func expect(t *testing.T, all []doctor.Finding, want map[string]doctor.Status) {
	t.Helper()
	for check, status := range want {
		if got, seen := found(all, check); got != status {
			t.Errorf("%s is %q, want %q: %s", check, got, status, seen)
		}
	}
	for _, f := range all {
		if strings.Contains(f.Seen+f.Advice+f.About, usersPassword) {
			t.Errorf("%s shows the password", f.Check)
		}
		if (f.Status == doctor.Fail || f.Status == doctor.Warn) && f.Advice == "" {
			t.Errorf("%s does not say what to do", f.Check)
		}
	}
}

func TestTheDefinitionsThatAreShippedAreFoundRight(t *testing.T) {
	imported(t)
	admin := func(context.Context) (Credentials, error) { return Credentials{"guest", "guest"}, nil }
	all := examine(t, byUser(edgeUser), func(o *ExamineOptions) { o.Compare = admin })
	version := doctor.Warn // there are no more fixes
	if atLeast(t, 4, 0) {
		version = doctor.OK
	}
	expect(t, all, map[string]doctor.Status{
		"rabbitmq.reach": doctor.OK, "rabbitmq.exchange": doctor.OK, "rabbitmq.queue": doctor.OK,
		"rabbitmq.compare": doctor.OK, "rabbitmq.publish": doctor.OK, "rabbitmq.alarm": doctor.OK,
		"rabbitmq.dead": doctor.OK, "rabbitmq.bindings": doctor.Skipped, "rabbitmq.consume": doctor.OK,
		"rabbitmq.consumers": doctor.Warn, // nobody consumes
		"rabbitmq.version":   version,
	})
	if _, seen := found(all, "rabbitmq.queue"); !strings.Contains(seen, "hookgate.events is quorum, delivery-limit 20, dead-letter-strategy at-least-once, overflow reject-publish") {
		t.Errorf("the settings are not said: %s", seen)
	}
	all = examine(t, byUser(edgeUser))
	expect(t, all, map[string]doctor.Status{"rabbitmq.queue": doctor.OK, "rabbitmq.compare": doctor.Skipped})
	all = examine(t, byUser(consumerUser), func(o *ExamineOptions) { o.Consumes, o.Retry = true, nil })
	expect(t, all, map[string]doctor.Status{"rabbitmq.queue": doctor.OK, "rabbitmq.consume": doctor.OK, "rabbitmq.consumers": doctor.OK})
}

// What an edge may not do is what the consumer's user may, and the reverse.
func TestRightsThatAreMissingAreFound(t *testing.T) {
	imported(t)
	expect(t, examine(t, byUser(consumerUser)), map[string]doctor.Status{"rabbitmq.publish": doctor.Fail, "rabbitmq.consume": doctor.Warn})
	expect(t, examine(t, byUser(edgeUser), func(o *ExamineOptions) { o.Consumes = true }), map[string]doctor.Status{
		"rabbitmq.consume": doctor.Fail, "rabbitmq.publish": doctor.Fail,
	})
	still := servers.NewProxy(t, broker(t).Addr)
	still.StallDown()
	other := byUser(edgeUser)
	for name, change := range map[string]func(*ExamineOptions){
		"another password": func(o *ExamineOptions) {
			o.Credentials = func(context.Context) (Credentials, error) { return Credentials{edgeUser, "x"}, nil }
		},
		"another virtual host": func(o *ExamineOptions) { o.Vhost = "other" },
		"another server":       func(o *ExamineOptions) { o.Servers = []Server{{Addr: "127.0.0.1:" + servers.FreePort(t)}} },
		"one that is silent":   func(o *ExamineOptions) { o.Servers = []Server{{Addr: still.Addr}} },
	} {
		all := examine(t, other, change)
		if got, seen := found(all, "rabbitmq.reach"); got != doctor.Fail || len(all) != 1 {
			t.Errorf("%s: %s %s, %d findings", name, got, seen, len(all))
		} else if name == "one that is silent" && !strings.Contains(all[0].Advice, "set_cluster_name") {
			t.Errorf("%s: %s", name, all[0].Advice)
		}
	}
}

func TestWhatIsMissingOrOtherIsFound(t *testing.T) {
	ch, p := client(t), prefix(t)
	n := NamesOf(p)
	here := func(o *ExamineOptions) { o.Prefix, o.Topology = p, Passive }
	if err := ch.ExchangeDeclare(n.Events, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	args := eventsArguments(n)
	delete(args, "x-dead-letter-strategy")
	if _, err := ch.QueueDeclare(n.EventsIn, true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	all := examine(t, here)
	expect(t, all, map[string]doctor.Status{"rabbitmq.exchange": doctor.Fail, "rabbitmq.queue": doctor.Fail})
	_, seen := found(all, "rabbitmq.queue")
	for _, want := range []string{n.EventsIn + " has other settings", "x-dead-letter-strategy", n.Dead + " is missing"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in %s", want, seen)
		}
	}
	all = examine(t, here, func(o *ExamineOptions) { o.Topology = Declare })
	if _, seen := found(all, "rabbitmq.exchange"); !strings.Contains(seen, n.DeadLetter+" is missing") {
		t.Errorf("what is missing was made: %s", seen)
	}
	for _, f := range all {
		if strings.Contains(f.Seen, "is missing") && f.Status != doctor.Warn {
			t.Errorf("%s: what is made at the start is %s", f.Seen, f.Status)
		}
	}
}

func TestExaminingLeavesNothing(t *testing.T) {
	q := open(t, broker(t).Addr)
	n := NamesOf(q.opts.Prefix)
	mustPublish(t, q, sample("waits"))
	before := broker(t).Ctl(t, "list_queues", "name", "messages", "consumers") + broker(t).Ctl(t, "list_exchanges", "name")
	for _, consumes := range []bool{false, true} {
		all := examine(t, func(o *ExamineOptions) {
			o.Prefix, o.Consumes = q.opts.Prefix, consumes
			o.Queues = []string{n.EventsIn}
		})
		expect(t, all, map[string]doctor.Status{"rabbitmq.publish": doctor.OK, "rabbitmq.alarm": doctor.OK})
	}
	after := broker(t).Ctl(t, "list_queues", "name", "messages", "consumers") + broker(t).Ctl(t, "list_exchanges", "name")
	if before != after {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if d := drain(t, n.EventsIn)["waits"]; number(d.Headers, "x-delivery-count") != 0 || d.Redelivered {
		t.Errorf("the event was taken: %v", d.Headers)
	}
}

func TestLettersAndAnAlarmAreFound(t *testing.T) {
	q := open(t, broker(t).Addr)
	here := func(o *ExamineOptions) { o.Prefix = q.opts.Prefix }
	ch := client(t)
	if err := ch.PublishWithContext(t.Context(), "", NamesOf(q.opts.Prefix).Dead, false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the letter is seen", func() bool { s, _ := found(examine(t, here), "rabbitmq.dead"); return s == doctor.Warn })
	broker(t).Ctl(t, "set_vm_memory_high_watermark", "0")
	defer broker(t).Ctl(t, "set_vm_memory_high_watermark", "0.6")
	eventually(t, "the alarm is seen", func() bool { s, _ := found(examine(t, here), "rabbitmq.alarm"); return s == doctor.Fail })
}

func TestNoTLSIsToldWhereOthersMayListen(t *testing.T) {
	for addr, want := range map[string]doctor.Status{"127.0.0.1:5672": doctor.OK, "rabbit-1:5672": doctor.Warn} {
		got, _ := found(ExamineOffline(Options{Servers: []Server{{Addr: addr}}}), "rabbitmq.tls")
		if got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
}

func TestAServerThatIsDownIsFoundAndWhatThatMeans(t *testing.T) {
	down := servers.NewProxy(t, broker(t).Addr)
	down.Refuse()
	dead := Server{Addr: down.Addr, Host: "localhost"}
	for name, tc := range map[string]struct {
		servers []Server
		advice  string
	}{
		"one of two": {[]Server{{Addr: broker(t).Addr, Host: "localhost"}, dead}, "the others serve meanwhile"},
		"all":        {[]Server{dead}, "hooks answer 503 meanwhile"},
	} {
		all := examine(t, func(o *ExamineOptions) { o.Servers = tc.servers })
		expect(t, all, map[string]doctor.Status{"rabbitmq.reach": doctor.Fail})
		for _, f := range all {
			if f.Check == "rabbitmq.reach" && f.Status == doctor.Fail && (f.About != down.Addr || !strings.Contains(f.Advice, tc.advice)) {
				t.Errorf("%s: %s is to %s", name, f.About, f.Advice)
			}
		}
	}
}
