package accept

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// fakeShelf is a local queue in memory. It outlives those who use it, as a file
// does.
type fakeShelf struct {
	mu      sync.Mutex
	last    uint64
	ready   map[uint64]hook.Entry
	dead    map[uint64]hook.Entry
	damaged map[uint64]bool
	next    error // of the next publish
	fail    error // of every call
	slow    time.Duration
	reads   int // entries that were read
}

func newFakeShelf() *fakeShelf {
	return &fakeShelf{ready: map[uint64]hook.Entry{}, dead: map[uint64]hook.Entry{}, damaged: map[uint64]bool{}}
}

func (q *fakeShelf) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return q.keep(ctx, q.ready, ev, nil)
}

func (q *fakeShelf) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	return q.keep(ctx, q.dead, ev, &f)
}

func (q *fakeShelf) keep(ctx context.Context, where map[uint64]hook.Entry, ev *hook.Event, f *hook.Fault) (hook.Receipt, error) {
	time.Sleep(q.slow)
	if err := ctx.Err(); err != nil {
		return hook.Receipt{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		return hook.Receipt{}, q.fail
	}
	if err := q.next; err != nil {
		q.next = nil
		return hook.Receipt{}, err
	}
	q.last++
	where[q.last] = hook.Entry{Seq: q.last, At: time.Now(), Event: ev, Fault: f}
	return hook.Receipt{Local: true, Seq: q.last}, nil
}

func (q *fakeShelf) state(s hook.QueueState) map[uint64]hook.Entry {
	if s == hook.StateDead {
		return q.dead
	}
	return q.ready
}

func (q *fakeShelf) Next(_ context.Context, s hook.QueueState, after uint64, limit int) ([]hook.Entry, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		return nil, q.fail
	}
	var out []hook.Entry
	for _, seq := range slices.Sorted(maps.Keys(q.state(s))) {
		switch {
		case seq <= after:
			continue
		case q.damaged[seq] && len(out) == 0:
			return nil, &hook.Damaged{Seq: seq, Err: errors.New("damaged")}
		case q.damaged[seq] || len(out) == limit:
			return out, nil
		}
		out = append(out, q.state(s)[seq])
		q.reads++
	}
	return out, nil
}

func (q *fakeShelf) Remove(_ context.Context, s hook.QueueState, seqs ...uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		return q.fail
	}
	for _, seq := range seqs {
		delete(q.state(s), seq)
	}
	return nil
}

func (q *fakeShelf) Counts(context.Context) (hook.Counts, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return hook.Counts{Ready: len(q.ready), Dead: len(q.dead)}, q.fail
}

func (q *fakeShelf) Ready() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fail
}

func (q *fakeShelf) setError(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail = err
}

func (q *fakeShelf) read() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.reads
}

func (q *fakeShelf) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ready) + len(q.dead)
}

// spooled returns the IDs of what is there, the oldest first.
func (q *fakeShelf) spooled() (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, from := range []map[uint64]hook.Entry{q.ready, q.dead} {
		for _, seq := range slices.Sorted(maps.Keys(from)) {
			ids = append(ids, from[seq].Event.ID)
		}
	}
	return ids
}

// fakePrimary is a queue that does what answer says. It takes events in their
// order.
type fakePrimary struct {
	mu     sync.Mutex
	down   error
	answer func(ctx context.Context, ev *hook.Event) error // nil: taken
	got    []*hook.Event
	faults map[string]hook.Fault // of the letters, by event ID
	calls  int
}

func newFakePrimary() *fakePrimary { return &fakePrimary{faults: map[string]hook.Fault{}} }

func (q *fakePrimary) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return hook.Receipt{}, q.take(ctx, ev, nil)
}

func (q *fakePrimary) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	return hook.Receipt{}, q.take(ctx, ev, &f)
}

func (q *fakePrimary) take(ctx context.Context, ev *hook.Event, f *hook.Fault) error {
	q.mu.Lock()
	q.calls++
	answer, down := q.answer, q.down
	q.mu.Unlock()
	if down != nil {
		return errors.Join(hook.ErrUnavailable, down)
	}
	var err error
	if answer != nil {
		err = answer(ctx, ev)
	}
	if err == nil {
		q.keep(ev, f)
	}
	return err
}

// keep takes an event, whatever was answered.
func (q *fakePrimary) keep(ev *hook.Event, f *hook.Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.got = append(q.got, ev)
	if f != nil {
		q.faults[ev.ID] = *f
	}
}

func (q *fakePrimary) Ready() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.down
}

func (q *fakePrimary) set(down error, answer func(ctx context.Context, ev *hook.Event) error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down, q.answer = down, answer
}

func (q *fakePrimary) called() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls
}

// ids returns those of what was taken, in its order.
func (q *fakePrimary) ids() (ids []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ev := range q.got {
		ids = append(ids, ev.ID)
	}
	return ids
}

// stalled answers nothing until the caller gives up. Its fate is told later.
func stalledUntil(fate <-chan error) func(context.Context, *hook.Event) error {
	return func(ctx context.Context, _ *hook.Event) error {
		<-ctx.Done()
		return &hook.InDoubt{Cause: ctx.Err(), Fate: fate}
	}
}

func refusing(context.Context, *hook.Event) error { return hook.ErrRefused }
