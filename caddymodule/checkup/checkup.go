// Package checkup holds a Caddy config with hooks against what such a config
// should be, and asks the servers that it names. It is what the command doctor
// does.
package checkup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/filestorage"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/genesys/live"
)

// Options say what is looked at, and how.
type Options struct {
	app.Examination

	// Now is the time that the age of files is told by. Default: time.Now().
	Now time.Time
}

// check is one, or several about the same.
type check func(*patient) []doctor.Finding

// onConfig are the checks of a config, in the order of the report.
func onConfig() []check {
	return []check{
		valid, secrets, secretFiles, admin, gracePeriod,
		strays, places, redirects, sniHost, trustedProxies, headerLimit, timeouts,
		hookAllow, hookAllowFile, hookAuth, hookTTL, hookAge, hookTimeout,
	}
}

// Run makes all checks of a config in JSON. Its error says that there is nothing
// to be checked.
func Run(ctx context.Context, config []byte, opts Options) (doctor.Report, error) {
	p, err := read(config, opts)
	if err != nil {
		return doctor.Report{}, err
	}
	var all []doctor.Finding
	for _, look := range onConfig() {
		all = append(all, look(p)...)
	}
	p.opts.Storage = p.storage()
	for _, h := range p.hooks {
		h.use(&p.opts.Examination)
	}
	if raw, there := p.config.AppsRaw[app.Name]; there || len(p.hooks) > 0 {
		found, err := app.Examine(ctx, raw, p.opts.Examination)
		all = append(all, found...)
		if err != nil {
			n := doctor.Notes{}
			n.Excuse("config.servers", "not all of the store, the queue and the consumer could be looked at: see config.valid")
			all = append(all, n.List...)
		}
	}
	return doctor.NewReport(unique(all)), nil
}

// use adds what a hook uses.
func (h *hook) use(x *app.Examination) {
	if h.publish != nil && h.publish.Queue != "" {
		queues := &x.Queues
		if h.publish.Task != "" {
			queues = &x.Celery
		}
		if !slices.Contains(*queues, h.publish.Queue) {
			*queues = append(*queues, h.publish.Queue)
		}
	}
	for _, raw := range h.allow {
		var s struct {
			Source   string
			Services []string
		}
		if json.Unmarshal(raw, &s) != nil || s.Source != "genesys" {
			continue
		}
		for _, service := range s.Services {
			if !slices.Contains(x.Services, service) {
				x.Services = append(x.Services, service)
			}
		}
	}
}

// storage returns Caddy's, where that is a folder: others would have to be
// connected to.
func (p *patient) storage() live.Storage {
	if p.config.StorageRaw == nil {
		return caddy.DefaultStorage
	}
	var s struct{ Module, Root string }
	if json.Unmarshal(p.config.StorageRaw, &s) != nil || s.Module != "file_system" || s.Root == "" {
		return nil
	}
	of, err := (&filestorage.FileStorage{Root: s.Root}).CertMagicStorage()
	if err != nil {
		return nil
	}
	return of
}

// unique leaves out what was found twice: one hook may stand in several places.
func unique(all []doctor.Finding) (once []doctor.Finding) {
	seen := make(map[doctor.Finding]bool)
	for _, f := range all {
		if !seen[f] {
			seen[f] = true
			once = append(once, f)
		}
	}
	return once
}

// patient is the config that is looked at.
type patient struct {
	raw     []byte
	opts    Options
	config  caddy.Config
	web     caddyhttp.App
	servers []*server // that have hooks
	hooks   []*hook
}

// server is one of the http app.
type server struct {
	*caddyhttp.Server
	about string // where it listens
	tls   bool   // it serves TLS alone
	hosts []string
}

func read(raw []byte, opts Options) (*patient, error) {
	p := &patient{raw: caddy.RemoveMetaFields(raw), opts: opts}
	if p.opts.Now.IsZero() {
		p.opts.Now = time.Now()
	}
	if err := caddy.StrictUnmarshalJSON(p.raw, &p.config); err != nil {
		return nil, fmt.Errorf("the config is none of Caddy's: %w", err)
	}
	if web, ok := p.config.AppsRaw["http"]; ok {
		if err := json.Unmarshal(web, &p.web); err != nil {
			return nil, fmt.Errorf("the http app of the config cannot be read: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.web.Servers)) {
		s := p.newServer(name, p.web.Servers[name])
		found := findHooks(s)
		if len(found) == 0 {
			continue
		}
		p.servers = append(p.servers, s)
		p.hooks = append(p.hooks, found...)
	}
	if len(p.hooks) == 0 {
		return nil, errors.New("there is no hook in this config: no genesys_webhook, webhook_publish or webhook_dedup")
	}
	return p, nil
}
