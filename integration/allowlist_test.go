package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOutsidersAreRefused(t *testing.T) {
	const strict = "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}"
	const lax = "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}"
	for _, tc := range []struct {
		name, allow, global, forwarded string
		status                         int
		code                           string
	}{
		{"an address of the list is taken", "127.0.0.0/8", "", "", 202, "accepted"},
		{"private ranges hold loopback", "private_ranges", "", "", 202, "accepted"},
		{"any takes all", "any", "", "", 202, "accepted"},
		{"an address outside is refused", "203.0.113.0/24", "", "", 403, "forbidden"},
		{"a forged header changes nothing", "203.0.113.0/24", "", "203.0.113.7", 403, "forbidden"},
		{"a trusted proxy's word counts", "203.0.113.0/24", strict, "203.0.113.7", 202, "accepted"},
		{"a mapped address is the address", "203.0.113.0/24", strict, "::ffff:203.0.113.7", 202, "accepted"},
		{"what the client prepended does not count", "203.0.113.0/24", strict, "203.0.113.7, 198.51.100.1", 403, "forbidden"},
		{"a trusted proxy without strict is our fault", "203.0.113.0/24", lax, "203.0.113.7", 503, "misconfigured"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, site(patientHook("allow "+tc.allow), tc.global))
			a := s.post(payload("x"), "X-Forwarded-For", tc.forwarded)
			if a.status != tc.status || a.code() != tc.code {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		})
	}
}

func TestAnOutsidersConnectionIsClosedOnHTTP1(t *testing.T) {
	s := start(t, site(patientHook("allow 203.0.113.0/24")))
	w := s.dial()
	begin := time.Now()
	w.write(head("Content-Length: 5000\r\n"))
	if a := w.read(); a.status != 403 {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	if took := time.Since(begin); took > soon {
		t.Errorf("waited %s for an outsider's body", took)
	}
	w.closed()
}

func TestARangesFileIsReadAgainWhenItChanges(t *testing.T) {
	ranges := func(cidr string) []byte {
		return fmt.Appendf(nil, `{"entities":[{"cidr":%q,"service":"data-actions","region":"us-east-1","direction":"outbound"},
			{"cidr":"127.0.0.0/8","service":"smtp","region":"us-east-1"}]}`, cidr)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "ranges.json")
	if err := os.WriteFile(file, ranges("127.0.0.1/32"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, site(patientHook("allow file "+file+" data-actions")))
	if a := s.post(payload("f1")); a.status != 202 {
		t.Fatal(a.raw)
	}
	if err := os.WriteFile(file, ranges("203.0.113.7/32"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the new list counts", func() bool { return s.post(payload("f2")).status == 403 })
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the bad list is reported", func() bool {
		return strings.Contains(s.Log.String(), "the ranges could not be read again")
	})
	if a := s.post(payload("f3")); a.status != 403 || a.code() != "forbidden" {
		t.Errorf("with a bad file: %d %s, want the answer of the last good list", a.status, a.raw)
	}
	if err := os.WriteFile(file, ranges("127.0.0.0/8"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the mended list counts", func() bool { return s.post(payload("f4")).status < 300 })
}
