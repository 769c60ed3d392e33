package checkup

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"

	"github.com/hookgate/hookgate/caddymodule/app"
	"github.com/hookgate/hookgate/doctor"
)

func (p *patient) newServer(name string, s *caddyhttp.Server) *server {
	of := &server{Server: s, about: strings.Join(s.Listen, " ")}
	if of.about == "" {
		of.about = name
	}
	of.collect(s.Routes)
	// Caddy serves TLS where it is told to, and where it has names to have
	// certificates for and another port than that of HTTP.
	of.tls = len(s.TLSConnPolicies) > 0 || len(of.managed()) > 0 && !of.plain(p.web.HTTPPort)
	return of
}

// collect finds the hosts that the routes of a server are for.
func (s *server) collect(routes caddyhttp.RouteList) {
	for _, route := range routes {
		for _, set := range route.MatcherSetsRaw {
			var hosts []string
			if json.Unmarshal(set["host"], &hosts) == nil {
				s.hosts = append(s.hosts, hosts...)
			}
		}
	}
}

// managed are the hosts for which Caddy has certificates, and redirects.
func (s *server) managed() []string {
	if s.AutoHTTPS != nil && s.AutoHTTPS.Disabled {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.hosts), func(host string) bool {
		return s.AutoHTTPS != nil && slices.Contains(s.AutoHTTPS.Skip, host)
	})
}

// plain reports whether a server listens on the port for HTTP alone.
func (s *server) plain(httpPort int) bool {
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	for _, addr := range s.Listen {
		if _, port, err := net.SplitHostPort(addr); err != nil || port != fmt.Sprint(httpPort) {
			return false
		}
	}
	return true
}

// local reports whether only this machine reaches a server, and nothing on it
// stands in for others.
func (s *server) local() bool {
	for _, addr := range s.Listen {
		if !strings.HasPrefix(addr, "unix/") && !doctor.IsLoopback(addr) {
			return false
		}
	}
	return len(s.Listen) > 0 && s.TrustedProxiesRaw == nil
}

// clients reports whether a server asks for certificates of clients.
func (s *server) clients() bool {
	for _, policy := range s.TLSConnPolicies {
		if policy.ClientAuthentication == nil {
			return false
		}
	}
	return len(s.TLSConnPolicies) > 0
}

// eachServer runs a check for every server with hooks.
func (p *patient) eachServer(look func(*doctor.Notes, *server)) (all []doctor.Finding) {
	for _, s := range p.servers {
		n := &doctor.Notes{About: s.about}
		look(n, s)
		all = append(all, n.List...)
	}
	return all
}

// strays: a stray empty 200 is a lost event.
func strays(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		found := app.Strays(s.Server, s.tls)
		for _, stray := range found {
			seen, advice, _ := strings.Cut(stray.What, ": ")
			if stray.Hosts != nil {
				seen = strings.Join(stray.Hosts, " ") + ": " + seen
			}
			n.Fail("server.strays", seen, advice)
		}
		if found == nil {
			n.OK("server.strays", "every request is answered")
		}
	})
}

func places(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		if err := app.CheckPlaces(s.Routes); err != nil {
			n.Fail("server.places", err.Error(), "give each hook a path of its own: this config does not start")
			return
		}
		n.OK("server.places", "each hook has a place of its own")
	})
}

func redirects(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		if len(s.managed()) > 0 && s.tls && (s.AutoHTTPS == nil || !s.AutoHTTPS.DisableRedir) {
			n.Fail("server.redirects", "plain HTTP is redirected to HTTPS", "set auto_https disable_redirects: senders do not follow, and the event is lost")
			return
		}
		n.OK("server.redirects", "nothing is redirected")
	})
}

func sniHost(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		switch {
		case !s.tls:
			n.OK("server.strict_sni_host", "no TLS here")
		case s.StrictSNIHost != nil && *s.StrictSNIHost, s.StrictSNIHost == nil && s.clients():
			n.OK("server.strict_sni_host", "on")
		default:
			n.Warn("server.strict_sni_host", "off", "set strict_sni_host on in the option servers: else the host of a request need not be that of its handshake")
		}
	})
}

func trustedProxies(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		var source struct{ Ranges []string }
		_ = json.Unmarshal(s.TrustedProxiesRaw, &source)
		everybody := slices.ContainsFunc(source.Ranges, func(r string) bool {
			prefix, err := netip.ParsePrefix(r)
			return err == nil && prefix.Bits() == 0
		})
		switch {
		case s.TrustedProxiesRaw == nil:
			n.OK("server.trusted_proxies", "no proxy is trusted")
		case everybody:
			n.Fail("server.trusted_proxies", "everybody is a trusted proxy", "name the addresses of your load balancer: else anyone may claim any address")
		case s.TrustedProxiesStrict == 0:
			n.Fail("server.trusted_proxies", "proxies are trusted without trusted_proxies_strict", "add trusted_proxies_strict: without it a sender may claim any address, and hooks answer 503 misconfigured")
		default:
			n.OK("server.trusted_proxies", "strict")
		}
	})
}

// maxHeader is what no header of a sender comes near.
const maxHeader = 64 << 10

func headerLimit(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		limit := s.MaxHeaderBytes
		if limit <= 0 {
			limit = 16 << 10 // Caddy's
		}
		status := doctor.OK
		if limit > maxHeader {
			status = doctor.Warn
		}
		n.Grade("server.headers", status, "at most "+humanize.IBytes(uint64(limit)), "set max_header_size to 16KiB, or leave it out: each connection may hold as much")
	})
}

// maxHeaderTime is how long a header may take.
const maxHeaderTime = 30 * time.Second

func timeouts(p *patient) []doctor.Finding {
	return p.eachServer(func(n *doctor.Notes, s *server) {
		header, idle := time.Duration(s.ReadHeaderTimeout), time.Duration(s.IdleTimeout)
		status := doctor.OK
		if header <= 0 || header > maxHeaderTime || idle < 0 {
			status = doctor.Warn
		}
		seen := fmt.Sprintf("read_header %s", header)
		if header == 0 {
			seen = "read_header is Caddy's own"
		}
		n.Grade("server.timeouts", status, seen, "set timeouts { read_header 5s read_body 10s idle 2m } in the option servers: slow senders hold connections")
	})
}
