package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/hookgate/hookgate/genesys/ipranges"
	"github.com/hookgate/hookgate/genesys/live"
)

// eventRangesChanged is emitted when the list of addresses has changed.
const eventRangesChanged = "genesys_ranges_changed"

// Ranges is a config's hold on the addresses of Genesys Cloud.
type Ranges struct {
	keeper *live.Keeper
	digest [sha256.Size]byte
	user   *live.User

	started <-chan struct{} // closed when the config has started
	ended   <-chan struct{} // closed when it is over, or has failed to start

	mu    sync.Mutex
	views []*live.View // those that the config uses
}

// openRanges takes hold of the list. It connects to nobody yet.
func (g *Genesys) openRanges(ctx caddy.Context, env Env) (*Ranges, error) {
	if err := g.provision(); err != nil {
		return nil, err
	}
	digest, err := g.digest()
	if err != nil {
		return nil, err
	}
	events, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	v, _, err := keepers.LoadOrNew(digest, func() (caddy.Destructor, error) { return g.keeper(env) })
	if err != nil {
		return nil, err
	}
	r := &Ranges{keeper: v.(*keeperEntry).keeper, digest: digest}
	r.user = &live.User{Storage: ctx.Storage(), Changed: func(c live.Change) {
		events.(*caddyevents.App).Emit(ctx, eventRangesChanged, map[string]any{
			"added": len(c.Added), "removed": len(c.Removed), "ranges": r.keeper.Stats().Ranges,
			"services": ipranges.Services(append(c.Added[:len(c.Added):len(c.Added)], c.Removed...)),
		})
	}}
	return r, nil
}

// Await waits until the config has started. Caddy starts apps in no order:
// requests may come before the list has been read from the storage.
func (r *Ranges) Await(ctx context.Context) {
	select {
	case <-r.started:
	case <-r.ended:
	case <-ctx.Done():
	}
}

// View returns the addresses of some services; none for all.
func (r *Ranges) View(services ...string) *live.View {
	v := r.keeper.View(services...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views = append(r.views, v)
	return v
}

// Stats returns what there is to see of the list.
func (r *Ranges) Stats() live.Stats { return r.keeper.Stats() }

// Ready returns why addresses that the config uses are not known.
func (r *Ranges) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.views {
		if err := v.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// remarks warns of a list that is old.
func (r *Ranges) remarks() []string {
	s := r.Stats()
	if !s.Known || s.Age <= live.OldAge {
		return nil
	}
	return []string{fmt.Sprintf("allowlist: the list of Genesys addresses is %d days old", int(s.Age.Hours()/24))}
}

// Start implements Handle. While the config before this one runs, its storage
// is used: this one may still fail to start.
func (r *Ranges) Start() error {
	if !r.keeper.Attached() {
		r.keeper.Attach(r.user)
	}
	r.keeper.Start()
	return nil
}

// Running implements runner.
func (r *Ranges) Running() { r.keeper.Attach(r.user) }

// Release implements Handle.
func (r *Ranges) Release() error {
	r.keeper.Detach(r.user)
	_, err := keepers.Delete(r.digest)
	return err
}

// RangesOf returns the addresses of Genesys Cloud for a module that is being
// provisioned. It may be a matcher, which has no server yet.
func RangesOf(ctx caddy.Context) (*Ranges, error) {
	mod, err := ctx.App(Name)
	if err != nil {
		return nil, fmt.Errorf("hookgate app: %w", err)
	}
	if r := mod.(*App).runtime.ranges; r != nil {
		return r, nil
	}
	return nil, errNoRanges
}

// Ranges returns the addresses of Genesys Cloud, and nil where the config does
// not ask for them.
func (rt *Runtime) Ranges() *Ranges { return rt.ranges }

// Interface guards
var (
	_ Handle = (*Ranges)(nil)
	_ runner = (*Ranges)(nil)
)
