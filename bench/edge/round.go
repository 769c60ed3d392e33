package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

// memoryInterval is the time between two looks at the edge's memory.
const memoryInterval = 200 * time.Millisecond

// bench is one run.
type bench struct {
	settings settings
	pinning  pinning
	dir      string
	backends *backends // nil where no variant needs them
	progress io.Writer
}

// measure runs all rounds.
func measure(ctx context.Context, s settings, progress io.Writer) (_ *report, err error) {
	b := &bench{settings: s, progress: progress}
	if b.pinning, err = newPinning(); err != nil {
		return nil, err
	}
	if err := b.pinning.pinRest(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp(s.dir, "hookgate-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(b.dir)
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return nil, err
	}
	if s.profile != "" {
		if err := os.MkdirAll(s.profile, 0o755); err != nil {
			return nil, err
		}
	}
	var chosen []variant
	for _, name := range s.variants {
		if name == consumerName {
			continue
		}
		v := variantNamed(name)
		if err := check(s, v, b.dir); err != nil {
			return nil, err
		}
		chosen = append(chosen, v)
	}
	whole := slices.Contains(s.variants, consumerName)
	if whole || slices.ContainsFunc(chosen, func(v variant) bool { return v.servers }) {
		b.logf("starting redis-server and rabbitmq-server\n")
		if b.backends, err = startBackends(ctx, b.dir); err != nil {
			return nil, err
		}
		defer b.backends.stop()
	}

	r := newReport(b.pinning, s, chosen)
	one := s.warmUp + s.time + 3*time.Second
	about := time.Duration(s.rounds*len(chosen)) * one
	if whole {
		about += time.Duration(s.rounds) * (one + s.time)
	}
	b.logf("%s\nabout %s\n", r.head(), about.Round(time.Second))
	for round := range s.rounds {
		for i, v := range chosen {
			b.logf("round %d of %d  %-27s", round+1, s.rounds, v.title)
			f, err := b.round(ctx, v, round)
			if err != nil {
				b.logf("\n")
				return nil, fmt.Errorf("%s: %w", v.title, err)
			}
			b.logf("%7.0f requests/s %8.1f us\n", f.PerSecond, f.CPU)
			r.Variants[i].Rounds = append(r.Variants[i].Rounds, f)
		}
		if whole {
			b.logf("round %d of %d  %-27s", round+1, s.rounds, "the way to the downstream")
			f, err := b.consume(ctx)
			if err != nil {
				b.logf("\n")
				return nil, fmt.Errorf("%s: %w", consumerName, err)
			}
			b.logf("%7.0f events/s   %8.1f us  p99 %.1f ms\n", f.PerSecond, f.CPU, f.P99)
			r.consumed(f)
		}
	}
	r.sum()
	return r, nil
}

func (b *bench) logf(format string, args ...any) { fmt.Fprintf(b.progress, format, args...) }

// round measures a variant once, from a fresh start.
func (b *bench) round(ctx context.Context, v variant, number int) (f figures, err error) {
	dir, err := os.MkdirTemp(b.dir, v.name+"-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	var env []string
	if v.servers {
		env = b.backends.env()
	}
	edge, err := startProcess(b.settings, v, b.pinning, dir, env)
	if err != nil {
		return f, err
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = edge.stop()
		}
	}()
	accepted, err := edge.ready(ctx)
	if err != nil {
		return f, err
	}
	runtime.GC() // what the last round left behind is not this one's business

	sampler := startSampler(edge.cmd.Process.Pid)
	l := startLoad(edge.addr, v.connections(b.settings))
	sleep(ctx, b.settings.warmUp)
	profile := b.profile(ctx, edge, fmt.Sprintf("%s-%d", v.name, number+1))
	begin := time.Now()
	before, err1 := cpuTime(edge.cmd.Process.Pid)
	l.measure(ctx, b.settings.time)
	after, err2 := cpuTime(edge.cmd.Process.Pid)
	elapsed := time.Since(begin)
	t := l.stop()
	f.Memory = sampler.stop()
	for _, err := range []error{err1, err2, ctx.Err(), profile()} {
		if err != nil {
			return f, fmt.Errorf("%w\n%s", err, edge.tail())
		}
	}
	if len(t.took) == 0 {
		return f, fmt.Errorf("no answer in %s\n%s", b.settings.time, edge.tail())
	}
	f.set(t, elapsed, after-before)
	f.Accepted = accepted + t.accepted
	if err := b.count(ctx, v, edge, &f); err != nil {
		return f, err
	}
	stopped = true
	return f, edge.stop()
}

// count holds what is durable against what was answered.
func (b *bench) count(ctx context.Context, v variant, edge *process, f *figures) (err error) {
	switch {
	case v.bare:
		return nil
	case !v.servers:
		f.Queued, err = edge.queued(ctx)
		return err
	}
	if f.Queued, err = b.backends.queued(ctx, f.Accepted); err != nil {
		return err
	}
	if f.Claims, err = b.backends.claims(ctx); err != nil {
		return err
	}
	return b.backends.empty(ctx)
}

// sampler looks at the memory of a process.
type sampler struct {
	quit chan struct{}
	once sync.WaitGroup
	peak int64
}

func startSampler(pid int) *sampler {
	s := &sampler{quit: make(chan struct{})}
	s.once.Go(func() {
		tick := time.NewTicker(memoryInterval)
		defer tick.Stop()
		for {
			if n, err := anonymousMemory(pid); err == nil { // else it is gone, which others notice
				s.peak = max(s.peak, n)
			}
			select {
			case <-tick.C:
			case <-s.quit:
				return
			}
		}
	})
	return s
}

// stop returns the most that was seen, in bytes.
func (s *sampler) stop() int64 {
	close(s.quit)
	s.once.Wait()
	return s.peak
}
