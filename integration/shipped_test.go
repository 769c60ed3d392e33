package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/hookgate/hookgate/integration/edge"
)

// shipped are the Caddyfiles that users copy: those in the repository, and the
// snippets of the documentation that are a whole Caddyfile, which begin with
// global options.
func shipped(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../Caddyfile", "../deploy/*.Caddyfile", "../deploy/*/*.Caddyfile"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			all[strings.TrimPrefix(file, "../")] = readFile(t, file)
		}
	}
	for name, snippet := range snippets(t) {
		if strings.HasPrefix(snippet, "{\n") {
			all[name] = snippet
		}
	}
	return all
}

var fence = regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```")

// snippets are the Caddyfile snippets of the documentation, whole and in part.
func snippets(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documentation: %v", err)
	}
	all := map[string]string{}
	for _, file := range append(files, "../README.md") {
		for i, m := range fence.FindAllStringSubmatch(readFile(t, file), -1) {
			all[fmt.Sprintf("%s snippet %d", strings.TrimPrefix(file, "../"), i+1)] = m[1]
		}
	}
	return all
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// object is JSON that a test changes.
type object = map[string]any

// sample is a shipped Caddyfile made to run here.
type sample struct {
	config object
	ports  map[string]string // of the Caddyfile, to free ones
	hosts  []string          // that its sites have
	paths  []string          // that its sites have
}

var (
	secretFile = regexp.MustCompile(`\{(?:file|env)\.[^}]+\}`)
	serverURLs = strings.NewReplacer("{env.REDIS_URL}", "redis://127.0.0.1:1/0", "{env.AMQP_URL}", "amqp://127.0.0.1:1/",
		"{env.HOOKGATE_POSTGRES}", "postgres://127.0.0.1:1/app")
	rangesFile = regexp.MustCompile(`\bfile /\S+\.json`)
)

// withFiles gives a Caddyfile what it reads from the environment and from
// files: secrets, URLs and address ranges.
func withFiles(t *testing.T, caddyfile string) string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secrets := 0
	caddyfile = serverURLs.Replace(caddyfile)
	caddyfile = secretFile.ReplaceAllStringFunc(caddyfile, func(string) string {
		secrets++ // each is another one
		content := fmt.Sprintf("%024d", secrets)
		return "{file." + file(fmt.Sprint("secret", secrets), base64.StdEncoding.EncodeToString([]byte(content))) + "}"
	})
	return rangesFile.ReplaceAllLiteralString(caddyfile, "file "+file("ranges.json",
		`{"entities":[{"cidr":"127.0.0.1/32","service":"data-actions","region":"us-east-1","direction":"outbound"},
		{"cidr":"127.0.0.1/32","service":"open-messaging","region":"us-east-1","direction":"outbound"}]}`))
}

// localize adapts a Caddyfile and moves it to this machine: free ports on
// loopback, certificates of its own, data in the folder of the test.
func (s *server) localize(caddyfile string) *sample {
	t := s.t
	t.Helper()
	caddyfile = withFiles(t, caddyfile)
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	sam := &sample{config: object{}, ports: map[string]string{}}
	if err := json.Unmarshal(out, &sam.config); err != nil {
		t.Fatal(err)
	}
	sam.config["admin"] = object{"listen": s.Admin, "config": object{"persist": false}}
	delete(sam.config, "storage")
	if logging, ok := sam.config["logging"].(object); ok {
		for _, l := range member(logging, "logs") {
			delete(l.(object), "writer")
		}
	}
	apps := member(sam.config, "apps")
	member(apps, "hookgate")["data_dir"] = filepath.Join(s.Dir, "data")
	if g, ok := member(apps, "hookgate")["genesys"].(object); ok { // nobody is there, and nobody else is asked
		delete(g, "environment")
		g["api_url"], g["login_url"] = "http://127.0.0.1:1", "http://127.0.0.1:1"
	}
	apps["pki"] = object{"certificate_authorities": object{"local": object{"install_trust": false}}}
	apps["tls"] = object{"automation": object{"policies": []any{object{"issuers": []any{object{"module": "internal"}}}}}}

	web := member(apps, "http")
	for name, standard := range map[string]string{"http_port": "80", "https_port": "443"} {
		if p, ok := web[name].(float64); ok {
			standard = fmt.Sprint(p)
		}
		web[name] = json.Number(sam.port(t, standard))
	}
	for _, srv := range member(web, "servers") {
		listen := srv.(object)["listen"].([]any)
		for i := range listen {
			_, port, err := net.SplitHostPort(listen[i].(string))
			if err != nil {
				t.Fatal(err)
			}
			listen[i] = "127.0.0.1:" + sam.port(t, port)
		}
	}
	sam.collect(web)
	return sam
}

// member returns an object within another, and makes it if it is not there.
func member(o object, name string) object {
	if _, ok := o[name].(object); !ok {
		o[name] = object{}
	}
	return o[name].(object)
}

// port returns the free port that stands for one of the Caddyfile.
func (sam *sample) port(t *testing.T, port string) string {
	if sam.ports[port] == "" {
		_, sam.ports[port], _ = net.SplitHostPort(edge.FreeAddr(t))
	}
	return sam.ports[port]
}

// collect finds the hosts and the paths in a config.
func (sam *sample) collect(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			sam.collect(e)
		}
	case object:
		for name, e := range v {
			list, isList := e.([]any)
			for _, word := range list {
				if s, ok := word.(string); ok && isList && name == "host" {
					sam.hosts = append(sam.hosts, s)
				} else if ok && isList && name == "path" {
					sam.paths = append(sam.paths, s)
				}
			}
			sam.collect(e)
		}
	}
}

// loadJSON loads a config into the running program.
func (s *server) loadJSON(config object) error {
	raw, err := json.Marshal(config)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+s.Admin+"/load", "application/json", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, raw)
	}
	return nil
}

// probe posts an event to a port, as a sender with this SNI and this Host.
func probe(scheme, port, sni, host, path string) (answer, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{ServerName: sni, InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		},
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequest(http.MethodPost, scheme+"://127.0.0.1:"+port+path, strings.NewReader(payload("stray")))
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/json")
	return do(client, req)
}

// A stray empty 200 is a lost event, and so is a redirect.
func TestWhatIsShippedAnswersNothingBesideItsHooks(t *testing.T) {
	s := start(t, site("\trespond 404"))
	for name, caddyfile := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			s.t = t
			sam := s.localize(caddyfile)
			if err := s.loadJSON(sam.config); err != nil {
				t.Fatal(err)
			}
			if len(sam.hosts) == 0 || len(sam.paths) == 0 {
				t.Fatalf("no hosts %q or no paths %q", sam.hosts, sam.paths)
			}
			eventually(t, 20*time.Second, "a hook is reached", sam.reached)
			for _, port := range sam.ports {
				sam.probeAll(t, port)
			}
		})
	}
	s.t = t
}

func TestProductionAnswersItsScraperAndItsLoadBalancer(t *testing.T) {
	s := start(t, site("\trespond 404"))
	sam := s.localize(readFile(t, "../deploy/production.Caddyfile"))
	if err := s.loadJSON(sam.config); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/metrics": "\nhookgate_requests_in_flight", "/healthz": `"ok"`, "/readyz": "reasons"} {
		eventually(t, 20*time.Second, path+" is answered", func() bool {
			resp, err := http.Get("http://127.0.0.1:" + sam.ports["9180"] + path)
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			return err == nil && strings.Contains("\n"+string(raw), want)
		})
	}
}

// reached reports whether a hook answers.
func (sam *sample) reached() bool {
	for _, port := range sam.ports {
		for _, path := range sam.paths {
			a, err := probe("https", port, sam.hosts[0], sam.hosts[0], path)
			if err == nil && a.code() != "" {
				return true
			}
		}
	}
	return false
}

// probeAll posts to a port in every way in which a sender may be mistaken.
func (sam *sample) probeAll(t *testing.T, port string) {
	hosts := append([]string{"evil.example", "127.0.0.1"}, sam.hosts...)
	paths := []string{"/", "/webhooks", "/webhooks/genesys/other"}
	for _, path := range sam.paths {
		paths = append(paths, path, path+"/", path+"x")
	}
	try := func(scheme, sni, host, path string) {
		a, err := probe(scheme, port, sni, host, path)
		if err != nil {
			if _, ok := errors.AsType[net.Error](err); ok && errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, SNI %q, host %q, %s: %v", scheme, sni, host, path, err)
			}
			return // no TLS for this name, or nobody listens
		}
		if a.status < 400 && a.body["event_id"] != "stray" { // a hook's own 2xx is true for any host
			t.Errorf("%s, SNI %q, host %q, %s: %d %s", scheme, sni, host, path, a.status, a.raw)
		}
	}
	for _, host := range hosts {
		for _, path := range paths {
			try("http", "", host, path)
			for _, sni := range hosts {
				if net.ParseIP(sni) != nil {
					sni = "" // as senders do
				}
				try("https", sni, host, path)
			}
		}
	}
}

// around is what the snippets need that are a part of a site.
const around = `{
	hookgate {
		queue rabbitmq amqp://localhost
		genesys eu-central-1 {
			client_id id
			client_secret {env.SECRET}
		}
	}
}
:8080 {
`

// The snippets that are a part are valid in a site.
func TestEverySnippetIsFormattedAndValid(t *testing.T) {
	dir := t.TempDir()
	for name, snippet := range snippets(t) {
		file := filepath.Join(dir, strings.NewReplacer("/", "_", " ", "_").Replace(name))
		if err := os.WriteFile(file, []byte(snippet), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, stderr, code := command(t, "fmt", "--diff", file); code != 0 {
			t.Errorf("%s is not formatted:\n%s%s", name, out, stderr)
		}
		if !strings.HasPrefix(snippet, "{\n") {
			snippet = around + snippet + "}\n"
		}
		if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(snippet), map[string]any{"filename": name}); err != nil {
			t.Error(err)
		}
	}
}
