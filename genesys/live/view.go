package live

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/ipranges"
)

// View is the part of the ranges that is for some services. Looking into it
// takes logarithmic time and no lock.
type View struct {
	services []string
	state    atomic.Pointer[viewState]
}

// viewState has ranges, or the reason why there are none.
type viewState struct {
	prefixes []netip.Prefix
	err      error
}

// Contains reports whether an unmapped address without a zone is among the
// ranges.
func (v *View) Contains(addr netip.Addr) bool {
	return ipranges.Contains(v.state.Load().prefixes, addr)
}

// Ranges returns the ranges, which must not be changed.
func (v *View) Ranges() []netip.Prefix { return v.state.Load().prefixes }

// Ready returns why there are no ranges, and nil where there are some.
func (v *View) Ready() error { return v.state.Load().err }

// show takes over a list. Ranges that there were stay where it has none.
func (v *View) show(entries []ipranges.Entry) {
	prefixes := ipranges.Select(entries, v.services)
	switch {
	case len(prefixes) > 0:
		v.state.Store(&viewState{prefixes: prefixes})
	case v.Ready() != nil:
		v.state.Store(&viewState{err: fmt.Errorf("genesys cloud has no addresses for %s: there are some for %s",
			strings.Join(v.services, " and "), strings.Join(ipranges.Services(entries), ", "))})
	}
}

// lack says why there is no list, where there is none. What Genesys itself said
// is told; other causes have addresses of this network in them, and are in the
// log alone.
func (v *View) lack(cause error) {
	if v.Ready() == nil {
		return
	}
	err := errNoList
	if said, ok := errors.AsType[*genesys.Error](cause); ok {
		err = fmt.Errorf("%w: %w", errNoList, said)
	} else if cause != nil {
		err = fmt.Errorf("%w: the log says why", errNoList)
	}
	v.state.Store(&viewState{err: err})
}

var errNoList = errors.New("there is no list of the addresses of genesys cloud yet")

// View returns the view of some services; none for all of them.
func (k *Keeper) View(services ...string) *View {
	services = slices.Clone(services)
	slices.Sort(services)
	services = slices.Compact(services)
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.views {
		if slices.Equal(v.services, services) {
			return v
		}
	}
	v := &View{services: services}
	v.state.Store(&viewState{err: errNoList})
	if k.record.list != nil {
		v.show(k.record.list.entries)
	}
	k.views = append(k.views, v)
	return v
}
