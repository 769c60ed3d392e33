package rabbitmq

import (
	"context"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func states(all []Entity) string {
	var s []string
	for _, e := range all {
		s = append(s, e.Kind+" "+e.Name+" "+e.Key+": "+string(e.State))
	}
	return strings.Join(s, "\n")
}

func TestTheTopologyIsPlannedMadeAndVerified(t *testing.T) {
	ctx := context.Background()
	opts := TopologyOptions{
		Options: Options{Servers: []Server{{Addr: broker(t).Addr}}, Prefix: prefix(t)},
		Retry:   []time.Duration{5 * time.Second, time.Hour},
		Queues:  []string{prefix(t) + ".crm"}, Celery: []string{prefix(t) + ".celery"},
	}
	plan, err := Plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	// dlx, events, retry, direct and celery; dead, events, two tiers, crm and celery
	if n := len(plan); n != 5+6+6 {
		t.Errorf("%d entities are planned:\n%s", n, states(plan))
	}
	found, err := Verify(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		if want := map[bool]EntityState{true: Unknown, false: Missing}[e.Kind == "binding"]; e.State != want {
			t.Errorf("before: %s %s is %s", e.Kind, e.Name, e.State)
		}
	}
	if found, err = Apply(ctx, opts); err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		if want := map[bool]EntityState{true: Present, false: Made}[e.Kind == "binding"]; e.State != want {
			t.Errorf("made: %s %s is %s: %s", e.Kind, e.Name, e.State, e.Reason)
		}
	}
	for name, look := range map[string]func(context.Context, TopologyOptions) ([]Entity, error){"verify": Verify, "apply": Apply} {
		if found, err = look(ctx, opts); err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			if e.Kind != "binding" && e.State != Present {
				t.Errorf("%s: %s %s is %s: %s", name, e.Kind, e.Name, e.State, e.Reason)
			}
		}
	}
}

func TestWhatIsThereWithOtherSettingsIsDifferentAndStaysSo(t *testing.T) {
	opts := TopologyOptions{Options: Options{Servers: []Server{{Addr: broker(t).Addr}}, Prefix: prefix(t)}, Retry: []time.Duration{}}
	n := NamesOf(opts.Prefix)
	ch := client(t)
	if err := ch.ExchangeDeclare(n.Events, "fanout", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(n.EventsIn, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		found, err := Apply(context.Background(), opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			different := e.Name == n.Events && e.Kind == "exchange" || e.Name == n.EventsIn
			if different != (e.State == Different) || different && (e.Reason == "" || e.Settled()) {
				t.Errorf("%s %s is %s: %s", e.Kind, e.Name, e.State, e.Reason)
			}
		}
	}
}

func TestABindingThatAUserMayNotMakeIsUnknown(t *testing.T) {
	imported(t)
	opts := TopologyOptions{Options: Options{Servers: []Server{{Addr: broker(t).Addr}}}}
	as(operatorUser, Passive)(&opts.Options)
	found, err := Apply(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		if want := map[bool]EntityState{true: Unknown, false: Present}[e.Kind == "binding"]; e.State != want || e.Reason == "" {
			t.Errorf("%s %s is %s: %q", e.Kind, e.Name, e.State, e.Reason)
		}
	}
}
