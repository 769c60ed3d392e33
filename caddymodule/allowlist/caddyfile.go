package allowlist

import (
	"encoding/json"
	"net/netip"
	"slices"

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
//	client_ip_source genesys <service>... { observe }
//	client_ip_source file <path> [<service>...]
//	client_ip_source <ip source> ...
func (m *MatchClientIPSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() { // the matcher's name
		sources, err := ParseArgs(d)
		if err != nil {
			return err
		}
		m.SourcesRaw = append(m.SourcesRaw, sources...)
		if nesting := d.Nesting(); d.NextBlock(nesting) {
			return d.Err("client_ip_source takes no block")
		}
	}
	return nil
}

// ParseArgs reads what is left of the current line as IP sources, in the syntax
// of the matcher. The current token is the name that errors begin with. It takes
// every argument of the line; the block after an IP source is the source's own.
func ParseArgs(d *caddyfile.Dispenser) ([]json.RawMessage, error) {
	option := d.Val()
	if !d.NextArg() {
		return nil, d.Errf("%s: which addresses is missing", option)
	}
	var source json.RawMessage
	switch first := d.Val(); first {
	case "file":
		file := new(FileSource)
		if err := file.parse(d, option+" file"); err != nil {
			return nil, err
		}
		source = caddyconfig.JSONModuleObject(file, "source", "genesys_file", nil)
	default:
		if _, err := ipranges.ParsePrefix(first); err == nil || first == "private_ranges" || isRange(first) {
			return parseStatic(d, option)
		}
		if _, err := caddy.GetModule(namespace + first); err != nil {
			return nil, d.Errf("%s: %q is no address, no range and no IP source of this build: write private_ranges, a range such as 192.0.2.0/24, genesys <service>, or file <path>", option, first)
		}
		mod, err := caddyfile.UnmarshalModule(d, namespace+first)
		if err != nil {
			return nil, err
		}
		if _, ok := mod.(caddyhttp.IPRangeSource); !ok {
			return nil, d.Errf("%s: %T is not an IP source", option, mod)
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

// OnlyPrivate reports whether sources hold private and loopback addresses
// alone, as far as can be told before they are loaded: lists from elsewhere are
// taken for public.
func OnlyPrivate(sources []json.RawMessage) bool {
	for _, raw := range sources {
		var static struct {
			Source string   `json:"source"`
			Ranges []string `json:"ranges"`
		}
		if json.Unmarshal(raw, &static) != nil || static.Source != "static" {
			return false
		}
		for _, r := range static.Ranges {
			if slices.Contains(caddyhttp.PrivateRangesCIDR(), r) {
				continue // some have host bits
			}
			if p, err := ipranges.ParsePrefix(r); err != nil || !within(p, caddyhttp.PrivateRangesCIDR()) {
				return false
			}
		}
	}
	return true
}

// within reports whether one of the ranges holds all of p.
func within(p netip.Prefix, ranges []string) bool {
	return slices.ContainsFunc(ranges, func(r string) bool {
		outer, err := netip.ParsePrefix(r)
		if addr, addrErr := netip.ParseAddr(r); addrErr == nil {
			outer, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		return err == nil && outer.Bits() <= p.Bits() && outer.Contains(p.Addr())
	})
}
