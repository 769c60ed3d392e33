package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hookgate/hookgate/genesys"
)

// waits are for what Genesys does in its own time.
type waits struct {
	pause time.Duration // between two looks
	limit time.Duration // for all of them
}

var defaultWaits = waits{pause: time.Second, limit: 2 * time.Minute}

// until looks until it is done.
func (w waits) until(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.limit, fmt.Errorf("%s: not within %s; run it again later", what, w.limit))
	defer cancel()
	for {
		ok, err := done(ctx)
		if err != nil || ok {
			return err
		}
		timer := time.NewTimer(w.pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// createAttempts is how often something is made that may have been made.
const createAttempts = 4

// ensure finds a thing, or makes it. Where it is not clear whether a request to
// make it was carried out, it looks again: nothing is made twice.
func ensure[T any](ctx context.Context, w waits, find func(context.Context) (*T, error), make func(context.Context) (T, error)) (thing T, made bool, err error) {
	for range createAttempts {
		found, ferr := find(ctx)
		if ferr != nil {
			return thing, false, errors.Join(ferr, err)
		}
		if found != nil {
			return *found, err != nil, nil
		}
		if thing, err = make(ctx); err == nil {
			return thing, true, nil
		}
		if !genesys.Unclear(err) || pause(ctx, w.pause) != nil {
			return thing, false, err
		}
	}
	return thing, false, err
}

// settled repeats what Genesys may refuse because it does not know yet what was
// just made.
func settled[T any](ctx context.Context, w waits, fresh bool, do func(context.Context) (T, error)) (T, error) {
	for n := 1; ; n++ {
		thing, err := do(ctx)
		e, refused := errors.AsType[*genesys.Error](err)
		if err == nil || !fresh || n == createAttempts || !refused || e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound {
			return thing, err
		}
		if cause := pause(ctx, w.pause); cause != nil {
			return thing, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// only returns the one thing of a name, nil for none. Two of them are an error:
// nobody can tell which is meant.
func only[T any](things []T, kind, name string, is func(T) bool) (*T, error) {
	var found *T
	for i := range things {
		if !is(things[i]) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("there are several of the kind %s with the name %q: remove all but one in Genesys Cloud, or take another --name", kind, name)
		}
		found = &things[i]
	}
	return found, nil
}
