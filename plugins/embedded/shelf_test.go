package embedded

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// next returns the sequences of what is on the shelf behind one.
func next(t *testing.T, d *DB, s hook.QueueState, after uint64, limit int) (seqs []uint64) {
	t.Helper()
	entries, err := d.Next(t.Context(), s, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

// shelve publishes events, and returns their places.
func shelve(t *testing.T, d *DB, names ...string) (seqs []uint64) {
	t.Helper()
	for _, name := range names {
		receipt, err := d.Publish(t.Context(), event(name))
		if err != nil || !receipt.Local || receipt.Seq == 0 {
			t.Fatalf("%+v, %v", receipt, err)
		}
		seqs = append(seqs, receipt.Seq)
	}
	return seqs
}

func TestEventsAreMovedByTheirPlaces(t *testing.T) {
	d := started(t, Options{})
	seqs := shelve(t, d, "a", "b", "c")
	letter, err := d.Park(t.Context(), event("letter"), hook.Fault{Kind: hook.KindInvalid})
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, d, hook.StateReady, 0, 2); !slices.Equal(got, seqs[:2]) {
		t.Errorf("the first two are %v of %v", got, seqs)
	}
	if got := next(t, d, hook.StateReady, seqs[1], 10); !slices.Equal(got, seqs[2:]) {
		t.Errorf("behind them are %v", got)
	}
	if got := next(t, d, hook.StateReady, seqs[2], 10); got != nil {
		t.Errorf("behind the last are %v", got)
	}
	if got := next(t, d, hook.StateDead, 0, 10); !slices.Equal(got, []uint64{letter.Seq}) {
		t.Errorf("the letters are %v, not %d", got, letter.Seq)
	}
	for range 2 { // what is gone is no error
		if err := d.Remove(t.Context(), hook.StateReady, seqs[0], seqs[2], 4711); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Remove(t.Context(), hook.StateDead, letter.Seq); err != nil {
		t.Fatal(err)
	}
	if got := next(t, d, hook.StateReady, 0, 10); !slices.Equal(got, seqs[1:2]) {
		t.Errorf("left are %v", got)
	}
	if s := d.Stats(); s.Ready != 1 || s.Dead != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := d.Next(t.Context(), hook.StateDue, 0, 1); err == nil {
		t.Error("what is due is moved")
	}
	if err := d.Remove(t.Context(), hook.StateInWork, 1); err == nil {
		t.Error("what is in work is moved")
	}
}

func TestWhatIsInWorkIsNotMoved(t *testing.T) {
	d := started(t, Options{})
	seqs := shelve(t, d, "a", "b")
	dl, err := d.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, d, hook.StateReady, 0, 10); !slices.Equal(got, seqs[1:]) {
		t.Errorf("there are %v", got)
	}
	if err := d.Remove(t.Context(), hook.StateReady, seqs...); err != nil {
		t.Fatal(err)
	}
	if err := dl.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := next(t, d, hook.StateReady, 0, 10); !slices.Equal(got, seqs[:1]) {
		t.Errorf("then there are %v", got)
	}
}

func TestAFullStoreCanBeMovedOut(t *testing.T) {
	d := started(t, Options{MaxSize: 2 << 20})
	n := fill(t, d)
	seqs := next(t, d, hook.StateReady, 0, n/2)
	if err := d.Remove(t.Context(), hook.StateReady, seqs...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has room again", func() bool { return d.Ready() == nil })
	shelve(t, d, "after")
}

func TestADamagedEntryNamesItsPlaceAndThoseBehindItAreReached(t *testing.T) {
	d := started(t, Options{})
	seqs := shelve(t, d, "a", "b", "c")
	err := d.bolt.Update(func(tx *bolt.Tx) error {
		k := seqKey(seqs[1])
		return tx.Bucket([]byte(bucketReady)).Put(k[:], []byte("damaged"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, d, hook.StateReady, 0, 10); !slices.Equal(got, seqs[:1]) {
		t.Errorf("before it are %v", got)
	}
	_, err = d.Next(t.Context(), hook.StateReady, seqs[0], 10)
	if bad, ok := errors.AsType[*hook.Damaged](err); !ok || bad.Seq != seqs[1] {
		t.Errorf("got %v", err)
	}
	if got := next(t, d, hook.StateReady, seqs[1], 10); !slices.Equal(got, seqs[2:]) {
		t.Errorf("behind it are %v", got)
	}
}

func TestTheOldestIsThatOfEventsAndLetters(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	oldest := func() time.Time {
		t.Helper()
		at, err := d.Oldest()
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if at := oldest(); !at.IsZero() {
		t.Errorf("of nothing it is %s", at)
	}
	first := c.now()
	letter, err := d.Park(t.Context(), event("letter"), hook.Fault{Kind: hook.KindInvalid})
	if err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	shelve(t, d, "a")
	if at := oldest(); !at.Equal(first) {
		t.Errorf("it is %s, not %s", at, first)
	}
	if err := d.Remove(t.Context(), hook.StateDead, letter.Seq); err != nil {
		t.Fatal(err)
	}
	if at := oldest(); !at.Equal(c.now()) {
		t.Errorf("then it is %s", at)
	}
}

func TestPlacesAreThoseOfEachEventWhereManyComeAtOnce(t *testing.T) {
	d := started(t, Options{})
	const n = 200
	got := make(chan [2]string, n)
	for i := range n {
		go func() {
			id := fmt.Sprint("evt", i)
			receipt, err := d.Publish(t.Context(), event(id))
			if err != nil {
				t.Error(err)
			}
			entries, err := d.Next(t.Context(), hook.StateReady, receipt.Seq-1, 1)
			if err != nil || len(entries) != 1 {
				t.Errorf("%v, %v", entries, err)
				got <- [2]string{id, ""}
				return
			}
			got <- [2]string{id, entries[0].Event.ID}
		}()
	}
	for range n {
		if pair := <-got; pair[0] != pair[1] {
			t.Errorf("at the place of %s there is %q", pair[0], pair[1])
		}
	}
}

// A field that is added to an event or a fault must be kept too.
func TestTheSampleHasEveryFieldThatAnEventAndAFaultHave(t *testing.T) {
	for _, v := range []any{*fullEvent(), *fullFault()} {
		r := reflect.ValueOf(v)
		for i := range r.NumField() {
			if name := r.Type().Field(i).Name; r.Field(i).IsZero() && name != "Err" { // which is not kept, by its own word
				t.Errorf("%s.%s is not in it: is it in the envelope?", r.Type(), name)
			}
		}
	}
}
