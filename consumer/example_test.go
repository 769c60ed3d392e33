package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate/consumer"
	"github.com/hookgate/hookgate/hook"
)

// A consumer of one's own is a handler, a source and an inbox. In a real one
// the source is that of a queue, such as rabbitmq.NewSource or the embedded
// queue, and the inbox a store, such as redis.New.
func Example() {
	var source hook.Source = newMemoryQueue("call-1", "call-2", "call-1")
	var inbox hook.Store = newMemoryInbox()
	ctx, stop := context.WithCancel(context.Background())

	c, err := consumer.New(consumer.Options{
		Source: source,
		Inbox:  inbox,
		Handler: hook.HandlerFunc(func(ctx context.Context, ev *hook.Event) error {
			fmt.Println("processed", string(ev.Body))
			return nil // or an error, to try it again; or a *hook.Fault
		}),
	})
	if err != nil {
		panic(err)
	}
	time.AfterFunc(100*time.Millisecond, stop) // in a program: signal.NotifyContext
	if err := c.Run(ctx); err != nil {
		panic(err)
	}
	// Output:
	// processed call-1
	// processed call-2
}

// What an error says decides what becomes of the event.
func ExampleNew_faults() {
	handler := hook.HandlerFunc(func(_ context.Context, ev *hook.Event) error {
		switch string(ev.Body) {
		case "broken":
			return &hook.Fault{Kind: hook.KindPermanent, Message: "no such campaign"} // a dead letter, at once
		case "busy":
			return &hook.Fault{Kind: hook.KindTransient, Message: "busy", RetryAfter: time.Minute} // in a minute or more
		default:
			return errors.New("no connection") // by the next of Options.Retry
		}
	})
	fmt.Println(handler.Handle(context.Background(), &hook.Event{Body: []byte("broken")}))
	// Output: permanent: no such campaign
}

// memoryQueue hands out events that it has in memory.
type memoryQueue struct{ events chan *hook.Event }

func newMemoryQueue(ids ...string) *memoryQueue {
	q := &memoryQueue{events: make(chan *hook.Event, len(ids))}
	for _, id := range ids {
		q.events <- &hook.Event{ID: id, Hook: "calls", Body: []byte(id), Fingerprint: hook.Fingerprint{1}}
	}
	return q
}

func (q *memoryQueue) Prefetch(int) {}

func (q *memoryQueue) Receive(ctx context.Context) (hook.Delivery, error) {
	select {
	case ev := <-q.events:
		return memoryDelivery{ev}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryDelivery struct{ ev *hook.Event }

func (d memoryDelivery) Event() *hook.Event                                      { return d.ev }
func (d memoryDelivery) Redeliveries() int                                       { return 0 }
func (d memoryDelivery) Done(context.Context) error                              { return nil }
func (d memoryDelivery) Later(context.Context, time.Duration, *hook.Fault) error { return nil }
func (d memoryDelivery) Dead(context.Context, hook.Fault) error                  { return nil }
func (d memoryDelivery) Return(context.Context) error                            { return nil }

// memoryInbox remembers for as long as the program runs, and knows one consumer.
type memoryInbox struct{ done map[string]hook.Fingerprint }

func newMemoryInbox() *memoryInbox { return &memoryInbox{map[string]hook.Fingerprint{}} }

func (s *memoryInbox) Claim(_ context.Context, c hook.Claim) (hook.State, hook.Fingerprint, error) {
	if fp, ok := s.done[c.Key]; ok {
		return hook.Committed, fp, nil
	}
	return hook.Ours, c.Fingerprint, nil
}

func (s *memoryInbox) Commit(_ context.Context, claims ...hook.Claim) error {
	for _, c := range claims {
		s.done[c.Key] = c.Fingerprint
	}
	return nil
}

func (s *memoryInbox) Renew(context.Context, hook.Claim) (bool, error) { return true, nil }
func (s *memoryInbox) Release(context.Context, hook.Claim) error       { return nil }
func (s *memoryInbox) Ready() error                                    { return nil }
