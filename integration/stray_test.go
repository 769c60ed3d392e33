package integration

import (
	"strings"
	"testing"
)

func TestTheLogWarnsOfASiteThatAnswersAnEmpty200(t *testing.T) {
	const warning = "answered with an empty 200"
	s := start(t, site("\tgenesys_webhook "+hookPath))
	if strings.Contains(s.Log.String(), warning) {
		t.Error("a site that ends in a 404 is warned of")
	}
	if err := s.Reload(strings.Replace(site("\tgenesys_webhook "+hookPath), "\trespond 404", "", 1)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Log.String(), warning) {
		t.Error("a site that does not is not warned of")
	}
}
