package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// consumerName is what is named among the variants to have the whole way
// measured: edge, RabbitMQ and consumer, to a local downstream.
const consumerName = "consumer"

// pacedRate is how many events a second there are while the time from a 202 to
// the processing is taken.
const pacedRate = 500

// drainTimeout is how long the last events may take.
const drainTimeout = 2 * time.Minute

// consumeFigures are what one round of the whole way shows.
type consumeFigures struct {
	PerSecond float64 `json:"events_per_second"`    // processed, while the edge takes as many as it can
	CPU       float64 `json:"cpu_us_per_event"`     // of the consumer process, user and system
	P50       float64 `json:"p50_ms"`               // from the 202 to the downstream's answer, at pacedRate
	P99       float64 `json:"p99_ms"`               //
	Max       float64 `json:"max_ms"`               //
	Paced     int     `json:"paced"`                // events in these times
	Memory    int64   `json:"anonymous_memory"`     // of the consumer process, bytes
	Failed    int     `json:"failed"`               // answers other than 202, or none
	Accepted  int     `json:"accepted"`             // answered 202
	Processed int     `json:"processed"`            // different ones that the downstream got
	Again     int     `json:"processed_again"`      // requests for one of these beyond the first
	Missing   int     `json:"accepted_and_missing"` // of those with a known ID
}

// consume measures the whole way once, from a fresh start.
func (b *bench) consume(ctx context.Context) (f consumeFigures, err error) {
	v := variantNamed("servers")
	dir, err := os.MkdirTemp(b.dir, consumerName+"-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	down, err := startDownstream()
	if err != nil {
		return f, err
	}
	defer down.close()
	edge, err := startProcess(b.settings, v, b.pinning, dir, b.backends.env())
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, edge.stop()) }()
	probed, err := edge.ready(ctx)
	if err != nil {
		return f, err
	}
	consumer, err := b.startConsumer(dir, down.url)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, consumer.stop()) }()
	if err := down.await(ctx, probed); err != nil {
		return f, fmt.Errorf("the consumer processes nothing: %w\n%s", err, consumer.tail())
	}
	runtime.GC()

	// As much as there can be.
	sampler := startSampler(consumer.cmd.Process.Pid)
	defer func() { f.Memory = sampler.stop() }()
	full := startLoad(edge.addr, b.settings.connections)
	sleep(ctx, b.settings.warmUp)
	begin, before := time.Now(), down.count()
	cpu, err1 := cpuTime(consumer.cmd.Process.Pid)
	sleep(ctx, b.settings.time)
	n, elapsed := down.count()-before, time.Since(begin)
	cpuAfter, err2 := cpuTime(consumer.cmd.Process.Pid)
	t := full.stop()
	if err := errors.Join(err1, err2, ctx.Err()); err != nil {
		return f, err
	}
	if n == 0 {
		return f, fmt.Errorf("nothing was processed in %s\n%s", b.settings.time, consumer.tail())
	}
	f.PerSecond = float64(n) / elapsed.Seconds()
	f.CPU = float64(cpuAfter-cpu) / float64(time.Microsecond) / float64(n)
	f.Accepted, f.Failed = probed+t.accepted, t.failed
	if err := down.await(ctx, f.Accepted); err != nil {
		return f, fmt.Errorf("after the load: %w\n%s", err, consumer.tail())
	}

	// At a rate.
	p := newPaced(edge.addr)
	p.run(ctx, pacedRate, b.settings.time)
	f.Accepted += len(p.accepted)
	f.Failed += p.failed
	if err := down.await(ctx, f.Accepted); err != nil && ctx.Err() != nil {
		return f, ctx.Err()
	} // what is missing is counted
	f.setTimes(p.accepted, down.times())
	f.Processed, f.Again = down.count(), down.again()
	return f, b.backends.empty(ctx)
}

// setTimes works out how long events took from their 202 on.
func (f *consumeFigures) setTimes(accepted, processed map[string]time.Time) {
	var took []time.Duration
	for id, at := range accepted {
		done, ok := processed[id]
		if !ok {
			f.Missing++
			continue
		}
		took = append(took, max(0, done.Sub(at))) // the answer may be read later than the event was processed
	}
	slices.Sort(took)
	f.Paced = len(took)
	f.P50 = milliseconds(percentile(took, 50))
	f.P99 = milliseconds(percentile(took, 99))
	if len(took) > 0 {
		f.Max = milliseconds(took[len(took)-1])
	}
}

// startConsumer starts hookgate-consumer with its defaults, beside the edge on
// its core.
func (b *bench) startConsumer(dir, forward string) (*process, error) {
	program, err := filepath.Abs(b.settings.consumer)
	if err != nil {
		return nil, err
	}
	c := &process{log: filepath.Join(dir, "consumer.log"), done: make(chan struct{})}
	c.cmd = exec.Command(program, "--queue", b.backends.rabbit.URL(), "--inbox", b.backends.url, "--forward", forward)
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.pinning.startEdge(c.cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", b.settings.consumer, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}
