package integration

import (
	"strings"
	"testing"
)

func TestTwoHooksAtOnePlaceDoNotStart(t *testing.T) {
	s := start(t, site("\tgenesys_webhook "+hookPath))
	err := s.Reload(site("\tgenesys_webhook " + hookPath + "\n\tgenesys_webhook " + hookPath + " {\n\t\tname other\n\t}"))
	if err == nil || !strings.Contains(err.Error(), hookPath) || !strings.Contains(err.Error(), "other") {
		t.Errorf("the reload should have failed and named both: %v", err)
	}
	if a := s.post(payload("after")); a.status != 202 {
		t.Errorf("the running config: %s", a.raw)
	}
}
