package app

import (
	"context"
	"sync"
)

// turns say who may take the events of a file: the consumers of it together, or
// one forwarder alone. In a reload that changes from one to the other, an event
// must not be processed here and forwarded too.
type turns struct {
	mu      sync.Mutex
	users   int
	alone   bool
	changed chan struct{} // closed when somebody leaves; nil while nobody waits
}

// take waits for a turn, until ctx ends.
func (t *turns) take(ctx context.Context, alone bool) error {
	for {
		t.mu.Lock()
		if !t.alone && (!alone || t.users == 0) {
			t.users++
			t.alone = alone
			t.mu.Unlock()
			return nil
		}
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		t.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// give ends a turn.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users--
	t.alone = false
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}
