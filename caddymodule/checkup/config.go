package checkup

import (
	"encoding/json"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/doctor"
)

// valid loads the config as the service would at its start, without starting it.
// What that writes goes elsewhere: certificates of a local authority, as another
// user, could keep the service from starting; and so could the files of logs.
func valid(p *patient) []doctor.Finding {
	n := doctor.Notes{}
	if err := p.validate(); err != nil {
		n.Fail("config.valid", oneLine(err.Error()), "mend it: the service does not start with this config")
	} else {
		n.OK("config.valid", "it loads")
	}
	return n.List
}

func (p *patient) validate() error {
	var config *caddy.Config
	if err := caddy.StrictUnmarshalJSON(p.raw, &config); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hookgate-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config.StorageRaw, err = json.Marshal(map[string]string{"module": "file_system", "root": dir})
	if err != nil {
		return err
	}
	if config.Logging == nil {
		config.Logging = new(caddy.Logging)
	}
	for _, l := range config.Logging.Logs {
		l.WriterRaw = json.RawMessage(`{"output":"discard"}`)
	}
	quiet := new(caddy.CustomLog) // to where it goes now, or Caddy says that it does not
	quiet.Level = "FATAL"
	if config.Logging.Logs == nil {
		config.Logging.Logs = make(map[string]*caddy.CustomLog)
	}
	config.Logging.Logs[caddy.DefaultLoggerName] = quiet
	return caddy.Validate(config)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func secrets(p *patient) []doctor.Finding { return doctor.Secrets(p.raw) }

// fromFile is a placeholder that stands for what is in a file.
var fromFile = regexp.MustCompile(`\{file\.([^{}]+)\}`)

func secretFiles(p *patient) (all []doctor.Finding) {
	var paths []string
	for _, text := range texts(p.raw) {
		for _, m := range fromFile.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(paths, m[1]) {
				paths = append(paths, m[1])
			}
		}
	}
	for _, path := range paths {
		all = append(all, doctor.SecretFile(path)...)
	}
	return all
}

// texts returns all texts of a document, without escapes.
func texts(raw []byte) (all []string) {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	for {
		token, err := dec.Token()
		if err != nil {
			return all
		}
		if s, ok := token.(string); ok {
			all = append(all, s)
		}
	}
}

// admin: who reaches the admin API may change everything.
func admin(p *patient) []doctor.Finding {
	const check = "config.admin"
	n := doctor.Notes{}
	a := p.config.Admin
	switch {
	case a != nil && a.Disabled:
		n.OK(check, "off")
	case a == nil || a.Listen == "":
		n.OK(check, caddy.DefaultAdminListen+", for every user of this machine")
	case strings.HasPrefix(a.Listen, "unix/"):
		n.OK(check, "on a socket")
	default:
		addr := a.Listen
		if addr, _ = strings.CutPrefix(addr, "tcp/"); doctor.IsLoopback(addr) {
			n.OK(check, addr+", for every user of this machine")
			break
		}
		host, _, err := net.SplitHostPort(addr)
		if strings.Contains(host, "{") || err != nil {
			n.Excuse(check, "where it listens shows only when it runs")
			break
		}
		n.Fail(check, "it listens on "+addr, "set admin to unix//run/hookgate/admin.sock: who reaches it may change everything")
	}
	return n.List
}

func gracePeriod(p *patient) []doctor.Finding {
	n := doctor.Notes{}
	grace := time.Duration(p.web.GracePeriod)
	status := doctor.OK
	seen := grace.String()
	if grace == 0 {
		status, seen = doctor.Warn, "not set"
	}
	n.Grade("config.grace_period", status, seen, "set grace_period 5s: without it Caddy waits for ever when it stops")
	return n.List
}
