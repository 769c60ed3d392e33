package embedded

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

func TestASurveyCountsWhatIsDueByTierAndWhatIsDeadByKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := started(t, Options{})
		defer stop(t, d)
		survey := func() Survey {
			t.Helper()
			s, err := d.Survey(t.Context())
			must(t, err)
			return s
		}
		if diff := cmp.Diff(Survey{Tiers: map[time.Duration]int{}, Dead: map[hook.Kind]int{}}, survey()); diff != "" {
			t.Error(diff)
		}
		begin := time.Now().UTC()
		at := func(after time.Duration) time.Time { return begin.Add(after) }
		time.Sleep(surveyRest)
		published(t, d, "a", "b", "c", "d", "e", "f")
		for i, do := range []func(hook.Delivery) error{
			func(dl hook.Delivery) error { return dl.Later(t.Context(), 30*time.Second, nil) },
			func(dl hook.Delivery) error {
				return dl.Later(t.Context(), 30*time.Second, &hook.Fault{Kind: hook.KindTransient})
			},
			func(dl hook.Delivery) error { return dl.Later(t.Context(), 6*time.Hour, nil) },
			func(dl hook.Delivery) error { return dl.Dead(t.Context(), hook.Fault{Kind: hook.KindExhausted}) },
			func(dl hook.Delivery) error { return dl.Dead(t.Context(), hook.Fault{Kind: hook.KindConflict}) },
		} {
			if err := do(received(t, d)); err != nil {
				t.Fatal(i, err)
			}
		}
		parked(t, d, "p", "q")
		time.Sleep(time.Second)
		published(t, d, "g")
		want := Survey{
			OldestReady: at(surveyRest), OldestDue: at(surveyRest),
			Tiers: map[time.Duration]int{30 * time.Second: 2, 6 * time.Hour: 1},
			Dead:  map[hook.Kind]int{hook.KindExhausted: 1, hook.KindConflict: 1, hook.KindPermanent: 2},
		}
		if diff := cmp.Diff(want, survey()); diff != "" {
			t.Error(diff)
		}

		// It is good for a while, and then another is made.
		must(t, received(t, d).Done(t.Context())) // f
		if diff := cmp.Diff(want, survey()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(surveyRest)
		want.OldestReady = at(surveyRest + time.Second) // g
		if diff := cmp.Diff(want, survey()); diff != "" {
			t.Error(diff)
		}

		// What is damaged is counted, and hides nothing.
		must(t, d.bolt.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketDead)).Put([]byte{7: 1}, []byte("x")) }))
		time.Sleep(surveyRest)
		want.Unreadable, want.Dead[hook.KindExhausted] = 1, 0
		delete(want.Dead, hook.KindExhausted)
		if diff := cmp.Diff(want, survey()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestADelayOfAnOlderFileIsNotKnown(t *testing.T) {
	c := newClock()
	d := started(t, Options{Now: c.now})
	published(t, d, "a")
	must(t, received(t, d).Later(t.Context(), time.Hour, nil))
	must(t, d.bolt.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucketLaterAt))
		k, _ := b.Cursor().First()
		return b.Put(k, nil)
	}))
	s, err := d.Survey(t.Context())
	must(t, err)
	if s.Tiers[0] != 1 || len(s.Tiers) != 1 {
		t.Errorf("%v", s.Tiers)
	}
}
