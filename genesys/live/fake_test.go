package live

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// source is a Genesys whose answers are set.
type source struct {
	mu    sync.Mutex
	body  string
	err   error
	calls int
}

// set sets the ranges, each written "service cidr".
func (s *source) set(ranges ...string) {
	var entities []string
	for _, r := range ranges {
		service, cidr, _ := strings.Cut(r, " ")
		entities = append(entities, `{"cidr":`+strconv.Quote(cidr)+`,"service":`+strconv.Quote(service)+`}`)
	}
	s.say(`{"entities":[`+strings.Join(entities, ",")+`]}`, nil)
}

func (s *source) say(body string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.err = body, err
}

func (s *source) fetch(context.Context) (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return json.RawMessage(s.body), s.err
}

func (s *source) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// more lets time pass until it was asked so many more times.
func (s *source) more(times int) {
	for want := s.asked() + times; s.asked() < want; synctest.Wait() {
		time.Sleep(time.Minute)
	}
}

// storage is a Storage in memory, shared by nodes.
type storage struct {
	locks chan struct{} // one place
	mu    sync.Mutex
	data  map[string][]byte
	err   error // of everything
}

func newStorage() *storage {
	return &storage{locks: make(chan struct{}, 1), data: make(map[string][]byte)}
}

func (s *storage) fails() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *storage) Lock(ctx context.Context, _ string) error {
	if err := s.fails(); err != nil {
		return err
	}
	select {
	case s.locks <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *storage) Unlock(context.Context, string) error {
	select {
	case <-s.locks:
		return s.fails()
	default:
		return errors.New("not locked")
	}
}

func (s *storage) Load(_ context.Context, key string) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.data[key]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (s *storage) Store(_ context.Context, key string, value []byte) error {
	if err := s.fails(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[key] = value
	return nil
}

// keeper starts a keeper, which is closed at the end of the test.
func keeper(t *testing.T, s *source, store Storage) (*Keeper, *observer.ObservedLogs) {
	t.Helper()
	k, logs := unstarted(t, s, store)
	k.Start()
	return k, logs
}

// unstarted is keeper for tests of what is there before the start.
func unstarted(t *testing.T, s *source, store Storage) (*Keeper, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	k, err := New(Options{Fetch: s.fetch, Key: "ranges", Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	k.Attach(&User{Storage: store})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := k.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return k, logs
}
