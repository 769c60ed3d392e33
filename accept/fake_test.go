package accept

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// fakeStore is a store in memory. It is right, as far as a test does not make
// it slow or fail.
type fakeStore struct {
	mu          sync.Mutex
	keys        map[string]entry
	slow        time.Duration
	fail        error
	failCommits int
}

type entry struct {
	committed bool
	token     hook.Token
	fp        hook.Fingerprint
	expires   time.Time
}

func newFakeStore() *fakeStore { return &fakeStore{keys: map[string]entry{}} }

// setError makes every call fail, until it is set to nil.
func (s *fakeStore) setError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *fakeStore) delay() { time.Sleep(s.slow) }

func (s *fakeStore) get(key string) (entry, bool) {
	e, ok := s.keys[key]
	return e, ok && time.Now().Before(e.expires)
}

func (s *fakeStore) Claim(_ context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	s.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, hook.Fingerprint{}, s.fail
	}
	e, found := s.get(c.Key)
	switch {
	case found && e.committed:
		return hook.Committed, e.fp, nil
	case found && e.token != c.Token:
		return hook.Pending, e.fp, nil
	}
	s.keys[c.Key] = entry{token: c.Token, fp: c.Fingerprint, expires: time.Now().Add(c.Lease)}
	return hook.Ours, c.Fingerprint, nil
}

func (s *fakeStore) Renew(_ context.Context, c hook.Claim) (bool, error) {
	s.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return false, s.fail
	}
	e, found := s.get(c.Key)
	if !found || e.committed || e.token != c.Token {
		return false, nil
	}
	e.expires = time.Now().Add(c.Lease)
	s.keys[c.Key] = e
	return true, nil
}

func (s *fakeStore) Release(_ context.Context, c hook.Claim) error {
	s.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if e, found := s.get(c.Key); found && !e.committed && e.token == c.Token {
		delete(s.keys, c.Key)
	}
	return nil
}

func (s *fakeStore) Commit(_ context.Context, claims ...hook.Claim) error {
	s.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.failCommits > 0 {
		s.failCommits--
		return errors.New("commit failed")
	}
	for _, c := range claims {
		s.keys[c.Key] = entry{committed: true, fp: c.Fingerprint, expires: time.Now().Add(c.TTL)}
	}
	return nil
}

func (s *fakeStore) Ready() error { return nil }

func (s *fakeStore) committed() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.keys {
		if e.committed {
			n++
		}
	}
	return n
}

// fakeQueue keeps what it is given, in memory.
type fakeQueue struct {
	mu        sync.Mutex
	published []*hook.Event
	parked    []*hook.Event
	next      error // of the next call
}

func newFakeQueue() *fakeQueue { return new(fakeQueue) }

func (q *fakeQueue) Publish(_ context.Context, ev *hook.Event) (hook.Receipt, error) {
	return hook.Receipt{}, q.keep(&q.published, ev)
}

func (q *fakeQueue) Park(_ context.Context, ev *hook.Event, _ hook.Fault) (hook.Receipt, error) {
	return hook.Receipt{}, q.keep(&q.parked, ev)
}

func (q *fakeQueue) keep(where *[]*hook.Event, ev *hook.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.next; err != nil {
		q.next = nil
		return err
	}
	*where = append(*where, ev)
	return nil
}

func (q *fakeQueue) Ready() error { return nil }
