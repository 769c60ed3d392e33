package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// profile takes a CPU profile of the edge for as long as is measured, where
// the flags ask for one. What it returns waits for its end and then takes one
// of all allocations since the start.
func (b *bench) profile(ctx context.Context, edge *process, name string) func() error {
	if b.settings.profile == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		path := fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(b.settings.time.Seconds()))
		done <- b.save(ctx, edge, path, name+".cpu.pprof")
	}()
	return func() error {
		return errors.Join(<-done, b.save(ctx, edge, "/debug/pprof/allocs", name+".allocs.pprof"))
	}
}

func (b *bench) save(ctx context.Context, edge *process, path, name string) error {
	file, err := os.Create(filepath.Join(b.settings.profile, name))
	if err != nil {
		return err
	}
	return errors.Join(edge.get(ctx, path, file), file.Close())
}
