package allowlist

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/genesys/ipranges"
)

// namespace is where IP sources are.
const namespace = "http.ip_sources."

// UnmarshalCaddyfile sets up the matcher. Several lines add up. Syntax:
//
//	client_ip_source private_ranges
//	client_ip_source <cidr>...
//	client_ip_source file <path> [<service>...]
//	client_ip_source <ip source> ...
func (m *MatchClientIPSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() { // the matcher's name
		sources, err := ParseArgs(d)
		if err != nil {
			return err
		}
		m.SourcesRaw = append(m.SourcesRaw, sources...)
		if d.NextArg() {
			return d.ArgErr()
		}
		if nesting := d.Nesting(); d.NextBlock(nesting) {
			return d.Err("client_ip_source takes no block")
		}
	}
	return nil
}

// ParseArgs reads what is left of the current line as IP sources.
func ParseArgs(d *caddyfile.Dispenser) ([]json.RawMessage, error) {
	option := d.Val()
	if !d.NextArg() {
		return nil, d.Errf("%s: which addresses is missing", option)
	}
	var source json.RawMessage
	switch first := d.Val(); first {
	case "file":
		file := new(FileSource)
		args := d.RemainingArgs()
		if len(args) == 0 || args[0] == "" {
			return nil, d.Errf("%s file: the path is missing", option)
		}
		file.Path, file.Services = args[0], args[1:]
		source = caddyconfig.JSONModuleObject(file, "source", "genesys_file", nil)
	default:
		if _, err := ipranges.ParsePrefix(first); err == nil || first == "private_ranges" || isRange(first) {
			return parseStatic(d, option)
		}
		if _, err := caddy.GetModule(namespace + first); err != nil {
			if first == "genesys" {
				return nil, d.Errf("%s genesys: this build has no live ranges; save them to a file and use file", option)
			}
			return nil, d.Errf("%s: %q is no address, no range and no IP source of this build", option, first)
		}
		mod, err := caddyfile.UnmarshalModule(d, namespace+first)
		if err != nil {
			return nil, err
		}
		source = caddyconfig.JSONModuleObject(mod, "source", first, nil)
	}
	return []json.RawMessage{source}, nil
}

// isRange reports whether a word was meant to be a range, so that the error is
// about that.
func isRange(s string) bool { return len(s) > 0 && (s[0] >= '0' && s[0] <= '9' || s[0] == ':') }

// parseStatic reads ranges from the current argument on.
func parseStatic(d *caddyfile.Dispenser, option string) ([]json.RawMessage, error) {
	static := new(caddyhttp.StaticIPRange)
	for more := true; more; more = d.NextArg() {
		if d.Val() == "private_ranges" {
			static.Ranges = append(static.Ranges, caddyhttp.PrivateRangesCIDR()...)
			continue
		}
		p, err := ipranges.ParsePrefix(d.Val())
		if err != nil {
			return nil, d.Errf("%s: %v", option, err)
		}
		static.Ranges = append(static.Ranges, p.String())
	}
	return []json.RawMessage{staticSource(static)}, nil
}

func staticSource(s *caddyhttp.StaticIPRange) json.RawMessage {
	return caddyconfig.JSONModuleObject(s, "source", "static", nil)
}

// PrivateRanges returns the source of private and loopback addresses.
func PrivateRanges() []json.RawMessage {
	return []json.RawMessage{staticSource(&caddyhttp.StaticIPRange{Ranges: caddyhttp.PrivateRangesCIDR()})}
}
