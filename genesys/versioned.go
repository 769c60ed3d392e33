package genesys

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// conflictAttempts is how often an object is read again that others change.
const conflictAttempts = 10

// Versioned changes an object that has a version: change reads it, and writes it
// back with the version that it read. Where somebody else was quicker it is
// called again, at most ten times.
func Versioned(ctx context.Context, change func(context.Context) error) error {
	var err error
	for n := range conflictAttempts {
		if err = change(ctx); !IsVersionConflict(err) {
			return err
		}
		if cause := pause(ctx, rand.N(20*time.Millisecond<<min(n, 5))); cause != nil {
			return cause
		}
	}
	return fmt.Errorf("it was changed by others %d times while it was being changed here; try again later: %w", conflictAttempts, err)
}
