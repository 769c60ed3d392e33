package integration

import (
	"strings"
	"testing"
)

func TestTheProgramSaysThatItIsHookgate(t *testing.T) {
	out, stderr, code := command(t, "version")
	if code != 0 || !strings.HasPrefix(out, "Hookgate") || !strings.Contains(out, "Caddy v2.") {
		t.Errorf("version: %d %s%s", code, out, stderr)
	}
	out, stderr, code = command(t, "--help")
	if code != 0 || !strings.HasPrefix(out, "Hookgate") || !strings.Contains(out, "\n  hookgate [command]\n") {
		t.Errorf("--help: %d %s%s", code, out, stderr)
	}
}
