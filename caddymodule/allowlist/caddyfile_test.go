package allowlist

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"
)

// guest is an IP source of somebody else's, with a block of its own.
type guest struct {
	Every string `json:"every,omitempty"`
}

func (*guest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.ip_sources.test_guest", New: func() caddy.Module { return new(guest) }}
}

func (*guest) GetIPRanges(*http.Request) []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
}

func (g *guest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		d.NextArg()
		g.Every = d.Val()
	}
	return nil
}

// noSource is in the namespace and is no IP source.
type noSource struct{}

func (*noSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.ip_sources.test_no_source", New: func() caddy.Module { return new(noSource) }}
}

func (*noSource) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func init() {
	caddy.RegisterModule(new(guest))
	caddy.RegisterModule(new(noSource))
}

const private = `{"ranges":["192.168.0.0/16","172.16.0.0/12","10.0.0.0/8","127.0.0.1/8","fd00::/8","::1"],"source":"static"}`

func TestTheMatcherIsParsed(t *testing.T) {
	for _, tc := range []struct{ name, input, want string }{
		{"from private ranges", `client_ip_source private_ranges`, private},
		{"from a range and addresses", `client_ip_source 192.0.2.0/24 2001:db8::1 198.51.100.7`, `{"ranges":["192.0.2.0/24","2001:db8::1/128","198.51.100.7/32"],"source":"static"}`},
		{"from private ranges and more", `client_ip_source 192.0.2.0/24 private_ranges`, strings.Replace(private, `[`, `["192.0.2.0/24",`, 1)},
		{"from all addresses, where that is written out", `client_ip_source 0.0.0.0/0 ::/0`, `{"ranges":["0.0.0.0/0","::/0"],"source":"static"}`},
		{"from a mapped address as IPv4", `client_ip_source ::ffff:192.0.2.1`, `{"ranges":["192.0.2.1/32"],"source":"static"}`},
		{"from a file", `client_ip_source file /etc/ranges.json`, `{"path":"/etc/ranges.json","source":"genesys_file"}`},
		{"from a file, for services", `client_ip_source file {env.RANGES} data-actions smtp`, `{"path":"{env.RANGES}","services":["data-actions","smtp"],"source":"genesys_file"}`},
		{"of Genesys", `client_ip_source genesys data-actions telepathy`, `{"services":["data-actions","telepathy"],"source":"genesys"}`},
		{"of Genesys, on trial", "client_ip_source genesys data-actions {\n\tobserve\n}", `{"observe":true,"services":["data-actions"],"source":"genesys"}`},
		{"from our source by its own name", `client_ip_source genesys_file /etc/ranges.json smtp`, `{"path":"/etc/ranges.json","services":["smtp"],"source":"genesys_file"}`},
		{"from a source of Caddy's", `client_ip_source static 192.0.2.0/24`, `{"ranges":["192.0.2.0/24"],"source":"static"}`},
		{"from a source with a block", "client_ip_source test_guest {\n\tevery 1h\n}", `{"every":"1h","source":"test_guest"}`},
		{
			"from several lines", "client_ip_source 192.0.2.0/24\nclient_ip_source test_guest {\n\tevery 1h\n}\nclient_ip_source file /x smtp",
			`{"ranges":["192.0.2.0/24"],"source":"static"},{"every":"1h","source":"test_guest"},{"path":"/x","services":["smtp"],"source":"genesys_file"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := new(MatchClientIPSource)
			if err := m.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input)); err != nil {
				t.Fatal(err)
			}
			equalJSON(t, m, `{"sources":[`+tc.want+`]}`)
		})
	}
}

func TestTheMatcherRefuses(t *testing.T) {
	for _, tc := range []struct{ name, input, want string }{
		{"no argument", `client_ip_source`, "client_ip_source: which addresses is missing"},
		{"an empty argument", `client_ip_source ""`, `client_ip_source: "" is no address, no range and no IP source of this build`},
		{"any", `client_ip_source any`, `client_ip_source: "any" is no address, no range and no IP source of this build`},
		{"a word after ranges", `client_ip_source 10.0.0.0/8 any`, `client_ip_source: "any" is not an IP address or range`},
		{"bits beyond the mask", `client_ip_source 10.0.0.1/8`, `client_ip_source: "10.0.0.1/8" has bits beyond its mask: did you mean 10.0.0.0/8?`},
		{"bits beyond the mask, later", `client_ip_source private_ranges 2001:db8::1/32`, `did you mean 2001:db8::/32?`},
		{"a mapped range", `client_ip_source ::ffff:10.0.0.0/104`, `client_ip_source: "::ffff:10.0.0.0/104": write IPv4 ranges as such`},
		{"a mask too long", `client_ip_source 10.0.0.0/33`, `client_ip_source: "10.0.0.0/33" is not an IP address or range`},
		{"half an address", `client_ip_source 10.0.0`, `client_ip_source: "10.0.0" is not an IP address or range`},
		{"a zone", `client_ip_source 10.0.0.0/8 fe80::1%eth0`, `client_ip_source: "fe80::1%eth0" is not an IP address or range`},
		{"live ranges without a service", `client_ip_source genesys`, "genesys: name the services whose addresses count"},
		{"live ranges of a service twice", `client_ip_source genesys smtp smtp`, `genesys: the service "smtp" is already specified`},
		{"live ranges with an unknown option", "client_ip_source genesys smtp {\n\tx\n}", `unknown subdirective "x": it is one of observe`},
		{"live ranges observed twice", "client_ip_source genesys smtp {\n\tobserve\n\tobserve\n}", "observe is already specified"},
		{"live ranges observed by somebody", "client_ip_source genesys smtp {\n\tobserve me\n}", "observe: too many arguments"},
		{"an unknown source", `client_ip_source nowhere`, `"nowhere" is no address, no range and no IP source of this build`},
		{"a source that is none", `client_ip_source test_no_source`, "client_ip_source: *allowlist.noSource is not an IP source"},
		{"a file without a path", `client_ip_source file`, "client_ip_source file: the path is missing"},
		{"a file with an empty path", `client_ip_source file ""`, "client_ip_source file: the path is missing"},
		{"an empty service", `client_ip_source file /x smtp ""`, "client_ip_source file: a service is empty"},
		{"a repeated service", `client_ip_source file /x smtp imap smtp`, `client_ip_source file: the service "smtp" is already specified`},
		{"a block after ranges", "client_ip_source 10.0.0.0/8 {\n\tx\n}", "client_ip_source takes no block"},
		{"a block after a file", "client_ip_source file /x {\n\tx\n}", "client_ip_source takes no block"},
		{"a block of our source", "client_ip_source genesys_file /x {\n\tx\n}", "genesys_file takes no block"},
		{"our source without a path", "client_ip_source genesys_file", "genesys_file: the path is missing"},
		{"a mistake in the second line", "client_ip_source 10.0.0.0/8\nclient_ip_source", "client_ip_source: which addresses is missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := new(MatchClientIPSource).UnmarshalCaddyfile(caddyfile.NewTestDispenser(tc.input))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestAMatcherInsideABlockLeavesTheRestOfTheBlock(t *testing.T) {
	for _, line := range []string{
		"client_ip_source 192.0.2.0/24",
		"client_ip_source file /x smtp",
		"client_ip_source test_guest {\n\t\t\tevery 1h\n\t\t}",
	} {
		d := caddyfile.NewTestDispenser("site {\n\tinner {\n\t\t" + line + "\n\t\tafter\n\t}\n}")
		d.Next()
		if !d.NextBlock(0) || !d.NextBlock(1) {
			t.Fatal("no block")
		}
		m := new(MatchClientIPSource)
		if err := m.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil || len(m.SourcesRaw) != 1 {
			t.Errorf("%s: %d sources, %v", line, len(m.SourcesRaw), err)
		}
		if !d.NextBlock(1) || d.Val() != "after" {
			t.Errorf("%s: the next token is %q", line, d.Val())
		}
	}
}

func TestParseArgsReadsTheRestOfALineInABlock(t *testing.T) {
	for _, tc := range []struct{ name, line, want string }{
		{"ranges", "allow 192.0.2.0/24", `[{"ranges":["192.0.2.0/24"],"source":"static"}]`},
		{"a file", "allow file /x smtp", `[{"path":"/x","services":["smtp"],"source":"genesys_file"}]`},
		{"a guest", "allow test_guest {\n\t\tevery 1h\n\t}", `[{"every":"1h","source":"test_guest"}]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := caddyfile.NewTestDispenser("hook {\n\t" + tc.line + "\n\tafter\n}")
			d.Next()
			d.NextBlock(0)
			sources, err := ParseArgs(d)
			if err != nil {
				t.Fatal(err)
			}
			equalJSON(t, sources, tc.want)
			if !d.NextBlock(0) || d.Val() != "after" {
				t.Errorf("the next token is %q", d.Val())
			}
		})
	}
}

func TestParseArgsNamesTheOptionInItsErrors(t *testing.T) {
	d := caddyfile.NewTestDispenser("allow everybody")
	d.Next()
	if _, err := ParseArgs(d); err == nil || !strings.Contains(err.Error(), `allow: "everybody" is no address`) {
		t.Errorf("got %v", err)
	}
}

func TestPrivateRangesIsWhatTheWordSays(t *testing.T) {
	equalJSON(t, PrivateRanges(), `[`+private+`]`)
	if !OnlyPrivate(PrivateRanges()) {
		t.Error("they are taken for public")
	}
}

func TestTheMatchersJSONComesBackTheSame(t *testing.T) {
	want := `{"sources":[{"path":"/x","services":["smtp"],"source":"genesys_file"},` + private + `]}`
	m := new(MatchClientIPSource)
	if err := caddy.StrictUnmarshalJSON([]byte(want), m); err != nil {
		t.Fatal(err)
	}
	equalJSON(t, m, want)
}

// equalJSON holds a value's JSON against another, whatever the order of members.
func equalJSON(t *testing.T, v any, want string) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
}

var (
	_ caddyhttp.IPRangeSource = (*guest)(nil)
	_ caddyfile.Unmarshaler   = (*noSource)(nil)
)
