package hook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// DeadLetter is an event that will not be tried again by itself.
type DeadLetter struct {
	ID    string // stable: LetterID
	Event *Event
	Fault Fault

	// Where it was to go: an exchange and a routing key of RabbitMQ. Empty for
	// the embedded queue, which has one place.
	OriginExchange, OriginKey string
}

// LetterID returns the ID of the dead letter of an event: the same for the same
// event, body and replay, wherever it is asked. It holds no personal data.
func LetterID(ev *Event) string {
	h := sha256.New()
	for _, part := range []string{ev.Hook, ev.ID, string(ev.Fingerprint[:]), strconv.Itoa(ev.Replay)} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Action is what a sweep does with a letter.
type Action uint8

// The actions.
const (
	Keep    Action = iota // it stays, in its place
	Send                  // the event of the verdict goes to the letter's origin, and then the letter is removed
	Discard               // it is removed
	Stop                  // it stays, and the sweep ends
)

// Verdict is a sweep's word on one letter.
type Verdict struct {
	Do    Action
	Event *Event // for Send
}

// DeadLetters are the dead letters of a queue.
type DeadLetters interface {
	// Sweep calls fn for each letter, the oldest first and each once, and does
	// what it says. Those that are kept stay in their order. There is one sweep
	// at a time; a sweep that ends early has done what it has done, and nothing
	// by half: a letter is removed after its event is durable elsewhere.
	Sweep(ctx context.Context, fn func(*DeadLetter) Verdict) error

	// Count returns how many there are.
	Count(ctx context.Context) (int, error)
}

// Unreadable is an error of a sweep: a letter that cannot be read. It was kept,
// and the sweep went on.
type Unreadable struct{ Err error }

// Error implements error.
func (e *Unreadable) Error() string { return "a dead letter cannot be read: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Unreadable) Unwrap() error { return e.Err }
