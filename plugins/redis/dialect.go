package redis

import (
	"strconv"
	"strings"
	"sync/atomic"
)

// dialect is how a claim is said to the server. As long as nobody knows, the
// server is taken for a new one: an old one refuses the first claim, which is
// then said in the other way.
type dialect struct {
	forced bool // two steps in any case
	old    atomic.Bool
	said   atomic.Pointer[string] // the version that the server said it has
}

// oneStep reports whether the server claims in one command.
func (d *dialect) oneStep() bool { return !d.forced && !d.old.Load() }

// refused notes that the server did not understand, whatever its version.
func (d *dialect) refused() { d.old.Store(true) }

// version notes what the servers say. It decides when that has changed: what
// they say and what they understand may not be the same.
func (d *dialect) version(v string) {
	if was := d.said.Swap(&v); was == nil || *was != v {
		d.old.Store(!knowsNXGet(v))
	}
}

func (d *dialect) String() string {
	if v := d.said.Load(); v != nil {
		return *v
	}
	return ""
}

// knowsNXGet reports whether SET takes NX and GET at once: since Redis 7.0.
// Valkey says 7.2.4.
func knowsNXGet(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 7
}
