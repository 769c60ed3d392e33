package rabbitmq

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
)

// entities is the part of RabbitMQ's definitions that is the topology.
type entities struct {
	Exchanges []entity `json:"exchanges"`
	Queues    []entity `json:"queues"`
	Bindings  []entity `json:"bindings"`
}

// entity is an exchange, a queue or a binding.
type entity struct {
	Vhost       string         `json:"vhost"`
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Durable     bool           `json:"durable"`
	AutoDelete  bool           `json:"auto_delete"`
	Internal    bool           `json:"internal"`
	Source      string         `json:"source"`
	Destination string         `json:"destination"`
	Kind        string         `json:"destination_type"`
	RoutingKey  string         `json:"routing_key"`
	Arguments   map[string]any `json:"arguments"`
}

// readEntities reads definitions, of one virtual host alone, in an order.
func readEntities(t *testing.T, file, vhost string) entities {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all entities
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all.Queues {
		all.Queues[i].Type = "" // is among the arguments too
	}
	for _, list := range []*[]entity{&all.Exchanges, &all.Queues, &all.Bindings} {
		*list = slices.DeleteFunc(*list, func(e entity) bool { return e.Vhost != vhost })
		slices.SortFunc(*list, func(a, b entity) int {
			return strings.Compare(a.Name+a.Source+a.Destination, b.Name+b.Source+b.Destination)
		})
		for i := range *list {
			(*list)[i].Vhost = ""
		}
	}
	return all
}

// exported returns what is in a virtual host of the shared broker.
func exported(t *testing.T, vhost string) entities {
	t.Helper()
	file := filepath.Join(t.TempDir(), "definitions.json")
	broker(t).Ctl(t, "export_definitions", file)
	return readEntities(t, file, vhost)
}

func TestTheDefinitionsAreWhatIsDeclared(t *testing.T) {
	const vhost = "declared"
	r := broker(t)
	r.Ctl(t, "add_vhost", vhost)
	r.Ctl(t, "set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
	// With the queues of two hooks, so that all exchanges are there.
	if _, err := Apply(t.Context(), TopologyOptions{
		Options: Options{Servers: []Server{{Addr: r.Addr}}, Vhost: vhost},
		Queues:  []string{"crm"}, Celery: []string{"tasks"},
	}); err != nil {
		t.Fatal(err)
	}
	declared := exported(t, vhost)
	for _, e := range declared.Queues {
		if !e.Durable || e.AutoDelete {
			t.Errorf("the queue %s does not outlive a restart: %+v", e.Name, e)
		}
	}
	// Those of the two hooks are named by their users.
	ofHooks := func(e entity) bool {
		return slices.Contains([]string{"crm", "tasks"}, e.Name) || slices.Contains([]string{"crm", "tasks"}, e.Destination)
	}
	declared.Queues = slices.DeleteFunc(declared.Queues, ofHooks)
	declared.Bindings = slices.DeleteFunc(declared.Bindings, ofHooks)
	if diff := cmp.Diff(readEntities(t, definitions, sharedVhost), declared); diff != "" {
		t.Errorf("-definitions +declared:\n%s", diff)
	}
}

// refusedBy4 returns what RabbitMQ 4.0 and later have against arguments: they
// know some no more, and refuse others. They cannot run here, so that our
// arguments are held against a list.
// See https://www.rabbitmq.com/release-information/deprecated-features-list,
// https://www.rabbitmq.com/docs/quorum-queues#feature-matrix and
// https://github.com/rabbitmq/rabbitmq-server/blob/main/release-notes/4.0.1.md.
func refusedBy4(args map[string]any) (reasons []string) {
	quorum := args["x-queue-type"] == "quorum"
	for name, value := range args {
		number, isNumber := numeric(value)
		switch {
		case name == "x-queue-mode":
			reasons = append(reasons, "lazy queues are gone: classic queues keep little in memory by themselves")
		case name == "x-queue-version":
			reasons = append(reasons, "version 1 of classic queues is gone, and nothing else is left to choose")
		case strings.HasPrefix(name, "x-ha-") || name == "ha-mode" || name == "x-cancel-on-ha-failover":
			reasons = append(reasons, "mirrored classic queues are gone")
		case name == "x-queue-master-locator":
			reasons = append(reasons, "it is x-queue-leader-locator")
		case name == "x-max-in-memory-length" || name == "x-max-in-memory-bytes":
			reasons = append(reasons, "quorum queues do not take it any more")
		case name == "x-max-priority" && quorum:
			reasons = append(reasons, "quorum queues take no x-max-priority")
		case name == "x-delivery-limit" && (!isNumber || number < 1):
			reasons = append(reasons, "-1 is no limit on 4.x, and drops at the first delivery on 3.10")
		}
	}
	if limit := args["x-delivery-limit"]; quorum && limit == nil {
		reasons = append(reasons, "without x-delivery-limit, 4.x drops after 20 deliveries")
	}
	if args["x-dead-letter-strategy"] == "at-least-once" && (args["x-overflow"] != "reject-publish" || !quorum) {
		reasons = append(reasons, "at-least-once needs a quorum queue with reject-publish")
	}
	return reasons
}

// numeric reads a number of an AMQP table, or of JSON.
func numeric(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func TestNoArgumentIsOneThatRabbitMQ4RefusesOrIgnores(t *testing.T) {
	n := NamesOf(DefaultPrefix)
	all := map[string]map[string]any{"events": eventsArguments(n), "dead letters": deadArguments()}
	shipped := readEntities(t, definitions, sharedVhost)
	for _, list := range [][]entity{shipped.Exchanges, shipped.Queues, shipped.Bindings} {
		for _, e := range list {
			all["definitions: "+e.Name+e.Source] = e.Arguments
		}
	}
	for _, e := range shipped.Queues {
		if !e.Durable || e.AutoDelete {
			t.Errorf("%s is transient, which 4.x deprecates", e.Name)
		}
	}
	for name, args := range all {
		if reasons := refusedBy4(args); len(reasons) > 0 {
			t.Errorf("%s: %q", name, reasons)
		}
	}
}

// The list finds what it is there for.
func TestTheListOfRemovedArgumentsFindsThem(t *testing.T) {
	good := eventsArguments(NamesOf(DefaultPrefix))
	for name, change := range map[string]amqp.Table{
		"a lazy queue":                    {"x-queue-mode": "lazy"},
		"an old version":                  {"x-queue-version": int64(1)},
		"a mirrored queue":                {"x-ha-policy": "all"},
		"a master locator":                {"x-queue-master-locator": "min-masters"},
		"priorities":                      {"x-max-priority": int64(5)},
		"messages in memory":              {"x-max-in-memory-length": int64(5)},
		"no delivery limit":               {"x-delivery-limit": nil},
		"an endless delivery limit":       {"x-delivery-limit": int64(-1)},
		"at-least-once with drop-head":    {"x-overflow": "drop-head"},
		"at-least-once on a classic type": {"x-queue-type": "classic"},
	} {
		args := maps.Clone(good)
		maps.Copy(args, change)
		if len(refusedBy4(args)) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	if reasons := refusedBy4(good); len(reasons) != 0 {
		t.Errorf("ours: %q", reasons)
	}
}

// Quorum queues refuse a prefetch for a whole channel, and 4.x has transient
// queues that are not exclusive on its list of what goes.
func TestTheCodeAsksForNoGlobalPrefetchAndNoTransientQueue(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			// The places of the flags: durable, auto-delete, exclusive; global.
			for name, flags := range map[string]map[int]string{
				"Qos":                 {2: "false"},
				"QueueDeclare":        {1: "true", 2: "false", 3: "false"},
				"QueueDeclarePassive": {1: "true", 2: "false", 3: "false"},
				"ExchangeDeclare":     {2: "true", 3: "false"},
			} {
				for place, want := range flags {
					if method.Sel.Name != name || len(call.Args) <= place {
						continue
					}
					if flag, ok := call.Args[place].(*ast.Ident); !ok || flag.Name != want {
						t.Errorf("%s: %s is not called with %s", set.Position(call.Pos()), name, want)
					}
				}
			}
			return true
		})
	}
}

func TestAllNamesComeFromThePrefix(t *testing.T) {
	want := Names{Events: "p", EventsIn: "p.events", DeadLetter: "p.dlx", Dead: "p.dead", Celery: "p.celery", Direct: "p.direct", Retry: "p.retry"}
	if got := NamesOf("p"); got != want {
		t.Errorf("got %+v", got)
	}
	for prefix, valid := range map[string]bool{
		"hookgate": true, "a.b-c_D9": true, strings.Repeat("x", 100): true,
		strings.Repeat("x", 101): false, ".a": false, "a b": false, "a/b": false, "a*": false, "ä": false,
	} {
		if _, err := New(Options{Servers: []Server{{Addr: "a:1"}}, Prefix: prefix}); (err == nil) != valid {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}
