package edge

import (
	"strings"
	"testing"
)

func TestARaceOfOursIsFoundBesideOneOfCaddys(t *testing.T) {
	const (
		caddys = raceRule + "\nWARNING: DATA RACE\nWrite at 0x1 by goroutine 59:\n  " + upstreamRace + "\n" + raceRule + "\n"
		ours   = raceRule + "\nWARNING: DATA RACE\nWrite at 0x1 by goroutine 59:\n  hookgate/accept.(*Core).Do()\n" + raceRule + "\n"
	)
	if found := races("start\n" + caddys + "between\n" + caddys); len(found) != 0 {
		t.Errorf("found %q", found)
	}
	if found := races(caddys + "between\n" + ours + caddys); len(found) != 1 || !strings.Contains(found[0], "accept") {
		t.Errorf("found %q", found)
	}
}
