package doctor

import (
	"fmt"
	"time"
)

// maxSkew is how far the clocks of two machines may be apart.
const maxSkew = time.Second

// Clock notes how far a server's clock is from this one's. It was asked between
// two moments: as long as that took, nobody knows better.
func (n *Notes) Clock(check string, server, before, after time.Time) {
	var skew time.Duration
	switch {
	case server.Before(before):
		skew = server.Sub(before)
	case server.After(after):
		skew = server.Sub(after)
	}
	status := OK
	if skew.Abs() >= maxSkew {
		status = Warn
	}
	n.Grade(check, status, fmt.Sprintf("its clock is %s from this one", skew.Abs().Round(time.Millisecond)),
		"have both machines keep their time by NTP: what one writes down as a time, the other reads")
}
