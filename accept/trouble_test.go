package accept

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hookgate/hookgate/hook"
)

var errLost = errors.New("the connection was lost")

// script says what happens to the calls of one request. It travels in the
// request's context, and with its claim where the request has gone.
type script struct {
	r *request

	mu     sync.Mutex
	claims int
}

type scriptKey struct{}

func scriptOf(ctx context.Context) *script { return ctx.Value(scriptKey{}).(*script) }

func (s *script) claim() trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.claims
	s.claims++
	if n >= len(s.r.Claims) {
		return trouble{}
	}
	return s.r.Claims[n]
}

// troubledStore is the world's store, as one process reaches it.
type troubledStore struct{ p *process }

// settle returns the trouble of calls that a request left behind.
func (s *troubledStore) settle(c hook.Claim) trouble {
	w := s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.scripts[c.Token].r.Settle
}

// call runs fn on the store with trouble, and without effect once the process
// is dead.
func (s *troubledStore) call(ctx context.Context, tr trouble, fn func()) error {
	w := s.p.w
	w.mu.Lock()
	if w.healed {
		tr = trouble{}
	}
	w.mu.Unlock()
	timer := time.NewTimer(tr.Delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if tr.Fail || s.p.died() {
		return errLost
	}
	fn()
	if tr.Lose {
		return errLost
	}
	return nil
}

func (s *troubledStore) key(c hook.Claim) hook.Claim {
	w := s.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if wrong, ok := w.parkKey[c.Key]; ok {
		c.Key = wrong
	}
	return c
}

func (s *troubledStore) Claim(ctx context.Context, c hook.Claim) (state hook.State, fp hook.Fingerprint, err error) {
	script := scriptOf(ctx)
	s.p.w.mu.Lock()
	s.p.w.scripts[c.Token] = script
	s.p.w.mu.Unlock()
	c = s.key(c)
	err = s.call(ctx, script.claim(), func() {
		state, fp, _ = s.p.w.store.Claim(ctx, c)
		if s.p.w.planted == commitTooEarly && state == hook.Ours {
			_ = s.p.w.store.Commit(ctx, c)
		}
	})
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	return state, fp, nil
}

func (s *troubledStore) Renew(ctx context.Context, c hook.Claim) (held bool, err error) {
	w := s.p.w
	w.mu.Lock()
	tr := w.scripts[c.Token].r.Renew
	w.mu.Unlock()
	c = s.key(c)
	err = s.call(ctx, tr, func() { held, _ = s.p.w.store.Renew(ctx, c) })
	return held, err
}

func (s *troubledStore) Release(ctx context.Context, c hook.Claim) error {
	c = s.key(c)
	w := s.p.w
	return s.call(ctx, s.settle(c), func() {
		w.mu.Lock()
		inDoubt := w.doubt[c.Token]
		w.mu.Unlock()
		if inDoubt {
			w.violate("a claim was released while its event may still be taken")
		}
		before, pending := w.pending(c.Key)
		if w.planted == releaseOfAnother {
			w.store.forget(c.Key)
		} else {
			_ = w.store.Release(ctx, c)
		}
		if _, still := w.pending(c.Key); pending && !still && before != c.Token {
			w.violate("another's claim was released")
		}
	})
}

func (s *troubledStore) Commit(ctx context.Context, claims ...hook.Claim) error {
	keyed := make([]hook.Claim, len(claims))
	for i, c := range claims {
		keyed[i] = s.key(c)
	}
	return s.call(ctx, s.settle(claims[0]), func() { _ = s.p.w.store.Commit(ctx, keyed...) })
}

func (s *troubledStore) Ready() error { return nil }

// pending returns whose claim is pending under a key.
func (w *world) pending(key string) (hook.Token, bool) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	e, found := w.store.get(key)
	return e.token, found && !e.committed
}

func (s *fakeStore) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.keys[key]; !e.committed {
		delete(s.keys, key)
	}
}

// troubledQueue is the world's queue, as one process reaches it.
type troubledQueue struct{ p *process }

func (q *troubledQueue) Publish(ctx context.Context, ev *hook.Event) (hook.Receipt, error) {
	return hook.Receipt{}, q.put(ctx, hook.EventKey(ev.Hook, ev.ID), func() {
		q.p.w.durable[nameOf(ev)] = true
		q.p.w.ids[ev.ID] = true
	})
}

func (q *troubledQueue) Park(ctx context.Context, ev *hook.Event, f hook.Fault) (hook.Receipt, error) {
	if w := q.p.w; f.Kind == hook.KindConflict && !w.published(ev.ID) {
		w.violate("%s is parked as a conflict, and no event of that ID was ever taken", ev.ID)
	}
	id := ev.ID
	if id == hook.DigestID(ev.Fingerprint) { // it was sent without one
		id = ""
	}
	return hook.Receipt{}, q.put(ctx, hook.ParkKey(ev.Hook, id, ev.Fingerprint), func() { q.p.w.letters[nameOf(ev)] = true })
}

func (q *troubledQueue) Ready() error { return nil }

// put writes a message, and lets it come to its end. keep makes it durable.
func (q *troubledQueue) put(ctx context.Context, key string, keep func()) error {
	w, how := q.p.w, scriptOf(ctx).r.Publish
	w.mu.Lock()
	if w.healed {
		how = publishing{}
	}
	dead := q.p.dead
	w.mu.Unlock()
	if how.End == unavailableAtOnce || dead {
		return hook.ErrUnavailable
	}
	token, _ := w.pending(key)
	w.mu.Lock()
	w.doubt[token] = true // from the write on
	w.mu.Unlock()

	result, fate := make(chan error, 1), make(chan error, 1)
	go func() { // the broker's part goes on whatever becomes of the process
		time.Sleep(how.Delay)
		taken := how.End == confirmed || how.End == doubtTaken || how.End == doubtLostTaken
		w.mu.Lock()
		if taken {
			keep()
		}
		if !taken {
			delete(w.doubt, token)
		}
		w.mu.Unlock()
		switch how.End {
		case confirmed:
			result <- nil
			fate <- nil
		case refused:
			result <- hook.ErrRefused
			fate <- hook.ErrRefused
		case doubtTaken:
			time.Sleep(how.Late)
			fate <- nil
		case doubtRefused:
			time.Sleep(how.Late)
			fate <- hook.ErrRefused
		default:
			close(fate)
		}
	}()
	if w.planted == answerTooEarly {
		return nil
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	if w.planted == releaseInDoubt {
		return ctx.Err()
	}
	return &hook.InDoubt{Cause: ctx.Err(), Fate: fate}
}

// troubledAccepter is both in one, and takes an event in one step.
type troubledAccepter struct {
	*troubledStore
	*troubledQueue
}

func (a *troubledAccepter) Ready() error { return nil }

func (a *troubledAccepter) Accept(ctx context.Context, c hook.Claim, ev *hook.Event, park *hook.Fault) (state hook.State, fp hook.Fingerprint, err error) {
	tr := scriptOf(ctx).claim()
	if park != nil && park.Kind == hook.KindConflict && !a.troubledStore.p.w.published(ev.ID) {
		a.troubledStore.p.w.violate("%s is parked as a conflict, and no event of that ID was ever taken", ev.ID)
	}
	err = a.call(ctx, tr, func() {
		w := a.troubledStore.p.w
		if state, fp, _ = w.store.Claim(ctx, c); state != hook.Ours {
			return
		}
		// One transaction: nobody sees the key before the event is there.
		w.mu.Lock()
		if park != nil {
			w.letters[nameOf(ev)] = true
		} else {
			w.durable[nameOf(ev)] = true
			w.ids[ev.ID] = true
		}
		w.mu.Unlock()
		_ = w.store.Commit(ctx, c)
	})
	switch {
	case err == nil:
		return state, fp, nil
	case ctx.Err() != nil && !tr.Lose:
		return 0, fp, ctx.Err()
	case tr.Lose:
		return 0, fp, &hook.InDoubt{Cause: err}
	}
	return 0, fp, hook.ErrUnavailable
}
