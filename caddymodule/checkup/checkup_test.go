package checkup_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"

	_ "github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/caddymodule/checkup"
	"github.com/hookgate/hookgate/doctor"
)

var update = flag.Bool("update", false, "write the golden files anew")

// offline are the options of a look that asks nobody.
var offline = checkup.Options{Examination: app.Examination{Offline: true, Timeout: time.Second}}

// run adapts a Caddyfile and checks it.
func run(t *testing.T, caddyfile string, opts checkup.Options) doctor.Report {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := checkup.Run(t.Context(), config, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if (f.Status == doctor.Fail || f.Status == doctor.Warn) && (f.Advice == "" || strings.HasSuffix(f.Advice, ".")) {
			t.Errorf("%s does not say what to do: %+v", f.Check, f)
		}
	}
	return r
}

// worst returns the worst status of a check, about whom it is no matter.
func worst(r doctor.Report, check string) (doctor.Status, string) {
	rank := map[doctor.Status]int{"": 0, doctor.OK: 1, doctor.Skipped: 2, doctor.Warn: 3, doctor.Fail: 4}
	var at doctor.Finding
	for _, f := range r.Findings {
		if f.Check == check && rank[f.Status] > rank[at.Status] {
			at = f
		}
	}
	return at.Status, at.Seen
}

// good are global options with which nothing is wrong, but for what is added.
func good(more, sites string) string {
	return "{\n\tauto_https disable_redirects\n\tgrace_period 5s\n\tservers {\n\t\tstrict_sni_host on\n\t\ttimeouts {\n\t\t\tread_header 5s\n\t\t}\n" +
		"\t}\n" + more + "\n}\n" + sites
}

// genesysOption has a config ask Genesys Cloud for its addresses.
const genesysOption = "\thookgate {\n\t\tgenesys eu-central-1 {\n\t\t\tclient_id id\n\t\t\tclient_secret {env.CHECKUP_SECRET}\n\t\t}\n\t}"

func TestEachCheckFindsWhatIsWrong(t *testing.T) {
	t.Setenv("CHECKUP_SECRET", "correct-horse-battery")
	t.Setenv("CHECKUP_EXPANDED", "hunter2Zk9QpL4xVb7w")
	list := filepath.Join(t.TempDir(), "ranges.json")
	if err := os.WriteFile(list, []byte(`{"entities":[{"cidr":"192.0.2.0/24","service":"data-actions"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const auth = "\t\tauth header X-Edge-Token {env.CHECKUP_SECRET}\n"
	site := func(lines string) string {
		return ":8080 {\n\tgenesys_webhook {\n" + lines + "\t}\n\trespond 404\n}\n"
	}
	for _, tc := range []struct {
		name, check string
		want        doctor.Status
		caddyfile   string
	}{
		{"a config that loads", "config.valid", doctor.OK, good("", site(auth))},
		{"a secret that is not there", "config.valid", doctor.Fail, good("", site("\t\tauth header X-Edge-Token {env.CHECKUP_UNSET}\n"))},
		{"no secret in it", "config.secrets", doctor.OK, good("", site(auth))},
		{"a secret of the environment in it", "config.secrets", doctor.Fail, good("", site(auth)+":8081 {\n\treverse_proxy app:80 {\n\t\theader_up X-Api-Key {$CHECKUP_EXPANDED}\n\t}\n}\n")},
		{"the admin API on its own", "config.admin", doctor.OK, good("", site(auth))},
		{"the admin API on a socket", "config.admin", doctor.OK, good("\tadmin unix//run/a.sock", site(auth))},
		{"the admin API off", "config.admin", doctor.OK, good("\tadmin off", site(auth))},
		{"the admin API for all", "config.admin", doctor.Fail, good("\tadmin :2019", site(auth))},
		{"the admin API in the network", "config.admin", doctor.Fail, good("\tadmin 10.0.0.1:2019", site(auth))},
		{"a grace period", "config.grace_period", doctor.OK, good("", site(auth))},
		{"no grace period", "config.grace_period", doctor.Warn, site(auth)},

		{"a 404 at the end", "server.strays", doctor.OK, good("", site(auth))},
		{"no 404 at the end", "server.strays", doctor.Fail, good("", ":8080 {\n\tgenesys_webhook\n}\n")},
		{"a host without a 404", "server.strays", doctor.Fail, good("", "hooks.example.com {\n\tgenesys_webhook\n}\n")},
		{"no catch-all, and any host", "server.strays", doctor.Fail, "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n"},
		{"no catch-all, and no other host gets in", "server.strays", doctor.OK, good("", "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n")},
		{"a catch-all", "server.strays", doctor.OK, "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\nhttps:// {\n\trespond 404\n}\n"},
		{"two places", "server.places", doctor.OK, good("", ":8080 {\n\tgenesys_webhook /a\n\tgenesys_webhook /b\n\trespond 404\n}\n")},
		{"one place for two", "server.places", doctor.Fail, good("", ":8080 {\n\tgenesys_webhook /a\n\tgenesys_webhook /a {\n\t\tname b\n\t}\n\trespond 404\n}\n")},
		{"redirects", "server.redirects", doctor.Fail, "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n"},
		{"no redirects", "server.redirects", doctor.OK, good("", "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n")},
		{"plain HTTP", "server.redirects", doctor.OK, "http://hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n"},
		{"any host with any handshake", "server.strict_sni_host", doctor.Warn, "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n"},
		{"the host of the handshake", "server.strict_sni_host", doctor.OK, good("", "hooks.example.com {\n\tgenesys_webhook\n\trespond 404\n}\n")},
		{"no handshake", "server.strict_sni_host", doctor.OK, site(auth)},
		{"no proxy", "server.trusted_proxies", doctor.OK, good("", site(auth))},
		{"a lax proxy", "server.trusted_proxies", doctor.Fail, "{\n\tservers {\n\t\ttrusted_proxies static 10.0.0.0/8\n\t}\n}\n" + site(auth)},
		{"a strict proxy", "server.trusted_proxies", doctor.OK, "{\n\tservers {\n\t\ttrusted_proxies static 10.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}\n}\n" + site(auth)},
		{"everybody a proxy", "server.trusted_proxies", doctor.Fail, "{\n\tservers {\n\t\ttrusted_proxies static 0.0.0.0/0\n\t\ttrusted_proxies_strict\n\t}\n}\n" + site(auth)},
		{"Caddy's header limit", "server.headers", doctor.OK, good("", site(auth))},
		{"large headers", "server.headers", doctor.Warn, "{\n\tservers {\n\t\tmax_header_size 1MiB\n\t}\n}\n" + site(auth)},
		{"timeouts", "server.timeouts", doctor.OK, good("", site(auth))},
		{"no timeouts", "server.timeouts", doctor.Warn, site(auth)},

		{"private addresses", "hook.allow", doctor.OK, good("", site(""))},
		{"private addresses by name", "hook.allow", doctor.OK, good("", site("\t\tallow private_ranges\n"))},
		{"any address", "hook.allow", doctor.Fail, good("", site("\t\tallow any\n"))},
		{"any address with auth", "hook.allow", doctor.Warn, good("", site("\t\tallow any\n"+auth))},
		{"any address, on this machine", "hook.allow", doctor.OK, good("", ":8080 {\n\tbind 127.0.0.1\n\tgenesys_webhook {\n\t\tallow any\n\t}\n\trespond 404\n}\n")},
		{"a list that is only observed", "hook.allow", doctor.Fail, good(genesysOption, site("\t\tallow genesys data-actions {\n\t\t\tobserve\n\t\t}\n"))},
		{"a list that is only observed, and auth", "hook.allow", doctor.Warn, good(genesysOption, site("\t\tallow genesys data-actions {\n\t\t\tobserve\n\t\t}\n"+auth))},
		{"Genesys Cloud's list", "hook.allow", doctor.OK, good(genesysOption, site("\t\tallow genesys data-actions\n"+auth))},
		{"the addresses of a source without auth", "hook.auth", doctor.Fail, good(genesysOption, site("\t\tsource data-action\n"))},
		{"public addresses with auth", "hook.auth", doctor.OK, good("", site("\t\tallow 192.0.2.0/24\n"+auth))},
		{"public addresses without auth", "hook.auth", doctor.Fail, good("", site("\t\tallow 192.0.2.0/24\n"))},
		{"private addresses without auth", "hook.auth", doctor.Warn, good("", site(""))},
		{"this machine without auth", "hook.auth", doctor.OK, good("", ":8080 {\n\tbind 127.0.0.1 ::1\n\tgenesys_webhook\n\trespond 404\n}\n")},
		{"this machine behind a proxy without auth", "hook.auth", doctor.Warn, "{\n\tservers {\n\t\ttrusted_proxies static 10.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}\n}\n:8080 {\n\tbind 127.0.0.1\n\tgenesys_webhook\n\trespond 404\n}\n"},
		{"a list", "hook.allow_file", doctor.OK, good("", site("\t\tallow file "+list+"\n"+auth))},
		{"a list that is not there", "hook.allow_file", doctor.Fail, good("", site("\t\tallow file "+list+"x\n"+auth))},
		{"a long memory", "hook.ttl", doctor.OK, good("", site(""))},
		{"a short memory for a data action", "hook.ttl", doctor.Fail, good("", site("\t\tsource data-action\n\t\tttl 5m\n"))},
		{"a memory for Open Messaging", "hook.ttl", doctor.OK, good("", site("\t\tsource open-messaging\n\t\tttl 10m\n"))},
		{"a short memory for somebody", "hook.ttl", doctor.Warn, good("", site("\t\tttl 30m\n"))},
		{"events of today", "hook.max_event_age", doctor.OK, good("", site("\t\tmax_event_age 1h\n"))},
		{"events that are older than what is remembered", "hook.max_event_age", doctor.Fail, good("", site("\t\tmax_event_age 49h\n"))},
		{"an answer in time", "hook.timeout", doctor.OK, good("", site("\t\tsource data-action\n"))},
		{"an answer in time for patient actions", "hook.timeout", doctor.Warn, good("", site("\t\tsource data-action\n\t\ttimeout 2s\n"))},
		{"an answer too late for any action", "hook.timeout", doctor.Fail, good("", site("\t\tsource data-action\n\t\ttimeout 1m\n"))},

		{"a consumer", "consumer.missing", "", good("\thookgate {\n\t\tconsumer {\n\t\t\tforward http://127.0.0.1:1\n\t\t}\n\t}", site(""))},
		{"no consumer", "consumer.missing", doctor.Warn, good("", site(""))},
		{"a consumer that forwards", "consumer.handler", doctor.OK, good("\thookgate {\n\t\tconsumer {\n\t\t\tforward http://127.0.0.1:1\n\t\t}\n\t}", site(""))},
		{"a consumer that logs", "consumer.handler", doctor.Warn, good("\thookgate {\n\t\tconsumer {\n\t\t\tlog\n\t\t}\n\t}", site(""))},
		{"a consumer that forwards in clear", "consumer.tls", doctor.Warn, good("\thookgate {\n\t\tconsumer {\n\t\t\tforward http://app:8000\n\t\t}\n\t}", site(""))},
		{"a consumer that forwards with TLS", "consumer.tls", doctor.OK, good("\thookgate {\n\t\tconsumer {\n\t\t\tforward https://app\n\t\t}\n\t}", site(""))},
		{"a consumer that forwards, offline", "consumer.reach", doctor.Skipped, good("\thookgate {\n\t\tconsumer {\n\t\t\tforward https://app\n\t\t}\n\t}", site(""))},
		{"Redis far away without TLS", "redis.tls", doctor.Warn, good("\thookgate {\n\t\tstore redis redis://redis:6379\n\t}", site(""))},
		{"RabbitMQ far away without TLS", "rabbitmq.tls", doctor.Warn, good("\thookgate {\n\t\tqueue rabbitmq amqp://rabbit:5672\n\t}", site(""))},
		{"RabbitMQ without a spool", "queue.spool", doctor.Warn, good("\thookgate {\n\t\tqueue rabbitmq amqp://rabbit:5672\n\t}", site(""))},
		{"RabbitMQ with a spool", "queue.spool", doctor.OK, good("\thookgate {\n\t\tqueue rabbitmq amqp://rabbit:5672 {\n\t\t\tspool\n\t\t}\n\t}", site(""))},
		{"PostgreSQL far away without TLS", "postgres.tls", doctor.Warn, good("\thookgate {\n\t\tstore postgres postgres://u@db/app\n\t}", site(""))},
		{"PostgreSQL as a fallback", "postgres.tls", doctor.Warn, good("\thookgate {\n\t\tstore redis redis://redis {\n\t\t\tfallback postgres postgres://u@db/app\n\t\t}\n\t}", site(""))},
		{"PostgreSQL as an inbox", "postgres.tls", doctor.Warn, good("\thookgate {\n\t\tconsumer {\n\t\t\tforward http://127.0.0.1:1\n\t\t\tinbox postgres postgres://u@db/app\n\t\t}\n\t}", site(""))},
		{"PostgreSQL as the handler", "postgres.tls", doctor.OK, good("\thookgate {\n\t\tconsumer {\n\t\t\tpostgres postgres://u@db/app?sslmode=verify-full hookgate.events\n\t\t}\n\t}", site(""))},
		{"Redis offline", "redis.reach", doctor.Skipped, good("\thookgate {\n\t\tstore redis redis://redis:6379\n\t}", site(""))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := run(t, tc.caddyfile, offline)
			if got, seen := worst(r, tc.check); got != tc.want {
				t.Errorf("%s is %q, want %q: %s", tc.check, got, tc.want, seen)
			}
			var out bytes.Buffer
			if err := r.WriteTable(&out); err != nil || strings.Contains(out.String(), "hunter2") {
				t.Errorf("%v, or a secret is shown:\n%s", err, out.String())
			}
		})
	}
}

// What the grammar of the Caddyfile refuses may stand in JSON.
func TestAConfigInJSONIsHeldAgainstTheSame(t *testing.T) {
	for _, tc := range []struct {
		check, from, to string
		want            doctor.Status
	}{
		{"hook.ttl", "", "", doctor.OK},
		{"hook.ttl", `"ttl":600000000000`, `"ttl":540000000000`, doctor.Fail},
		{"hook.ttl", `"ttl":600000000000`, `"ttl":1000000000`, doctor.Fail}, // shorter than the lease
		{"hook.timeout", "", "", doctor.OK},
		{"hook.timeout", `"budget":9000000000`, `"budget":10000000000`, doctor.Fail},
	} {
		caddyfile := good("", ":8080 {\n\tgenesys_webhook {\n\t\tsource open-messaging\n\t\tttl 10m\n\t\ttimeout 9s\n\t}\n\trespond 404\n}\n")
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
		if err != nil || !strings.Contains(string(config), tc.from) {
			t.Fatalf("%v, or no %s in %s", err, tc.from, config)
		}
		r, err := checkup.Run(t.Context(), []byte(strings.Replace(string(config), tc.from, tc.to, 1)), offline)
		if err != nil {
			t.Fatal(err)
		}
		if got, seen := worst(r, tc.check); got != tc.want {
			t.Errorf("%s is %q, want %q: %s", tc.check, got, tc.want, seen)
		}
	}
}

func TestTheFilesOfSecretsAreLookedAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("correct-horse"), 0o644); err != nil { //nolint:gosec // that is what is found
		t.Fatal(err)
	}
	caddyfile := good("", ":8080 {\n\tgenesys_webhook {\n\t\tauth header X-Edge-Token {file."+path+"} {file."+path+"_old}\n\t}\n\trespond 404\n}\n")
	found := map[string]doctor.Status{}
	for _, f := range run(t, caddyfile, offline).Findings {
		if f.Check == "secret.file" {
			found[f.About] = f.Status
		}
	}
	if diff := cmp.Diff(map[string]doctor.Status{path: doctor.Warn, path + "_old": doctor.Fail}, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The parts of a hook are found where they stand alone, too.
func TestAHookOfPartsIsFound(t *testing.T) {
	t.Setenv("CHECKUP_SECRET", "correct-horse-battery")
	parts := func(before, within string) string {
		return good("", ":8080 {\n"+before+"\t@post method POST\n\troute @post {\n\t\tfail_fast 5s\n"+within+
			"\t\twebhook_validate {\n\t\t\tname parts\n\t\t\tevent_id header Idempotency-Key\n\t\t}\n\t\twebhook_dedup\n\t\trespond 200\n\t}\n\trespond 404\n}\n")
	}
	const auth = "webhook_auth header X-Edge-Token {env.CHECKUP_SECRET}\n"
	for _, tc := range []struct {
		name, caddyfile, check string
		want                   doctor.Status
	}{
		{"nothing before it", parts("", ""), "hook.allow", doctor.Fail},
		{"nothing before it", parts("", ""), "hook.auth", doctor.Fail},
		{"auth in its route", parts("", "\t\t"+auth), "hook.auth", doctor.OK},
		{"auth before its route", parts("\t"+auth, ""), "hook.auth", doctor.OK},
		{"auth elsewhere", parts("\t@x path /x\n\twebhook_auth @x header X-Edge-Token {env.CHECKUP_SECRET}\n", ""), "hook.auth", doctor.Fail},
		{"those who are not in a list are refused", parts("\t@out not client_ip_source 10.0.0.0/8\n", "\t\terror @out 403\n"), "hook.allow", doctor.OK},
		{"those who are not in a list are refused too late", parts("\t@out not client_ip_source 10.0.0.0/8\n\terror @out 403\n", ""), "hook.allow", doctor.Fail},
		{"only those in a list get there", strings.Replace(parts("", ""), "method POST", "{\n\t\tmethod POST\n\t\tclient_ip 10.0.0.0/8\n\t}", 1), "hook.allow", doctor.OK},
	} {
		r := run(t, tc.caddyfile, offline)
		if got, seen := worst(r, tc.check); got != tc.want {
			t.Errorf("%s: %s is %q, want %q: %s", tc.name, tc.check, got, tc.want, seen)
		}
		for _, f := range r.Findings {
			if strings.HasPrefix(f.Check, "hook.") && f.About != "parts" {
				t.Errorf("%s: %+v", tc.name, f)
			}
		}
	}
}

func TestAConfigWithoutHooksIsNotChecked(t *testing.T) {
	for name, config := range map[string]string{
		"no hook":       `{"apps":{"http":{"servers":{"a":{"listen":[":1"]}}}}}`,
		"nothing":       `{}`,
		"another thing": `{"nothing":1}`,
		"no JSON":       `x`,
	} {
		if _, err := checkup.Run(t.Context(), []byte(config), offline); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
