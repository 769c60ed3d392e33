package failfast

import (
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hookgate/hookgate/caddymodule/request"
	"github.com/hookgate/hookgate/hook"
)

// model is a hook in made-up time: requests wait in a queue for something that
// does them one by one, for their budget and no longer.
type model struct {
	load    load
	now     time.Time
	budget  time.Duration
	waiting []time.Time
	idle    time.Duration // left over of the time for work
	credit  float64       // of the next arrival

	done, expired, shed int
	most                int
}

func newModel() *model {
	m := &model{now: time.Unix(1e9, 0), budget: 360 * time.Millisecond}
	m.load.epoch = m.now
	return m
}

// run lets time pass: requests arrive at a rate, and each takes that long. With
// each 0 nothing is done, and with an error all are answered at once.
func (m *model) run(d time.Duration, perSecond int, each time.Duration, err error) {
	const tick = time.Millisecond
	m.done, m.expired, m.shed, m.most = 0, 0, 0, 0
	for end := m.now.Add(d); m.now.Before(end); m.now = m.now.Add(tick) {
		for m.credit += float64(perSecond) * tick.Seconds(); m.credit >= 1; m.credit-- {
			m.arrive(err)
		}
		m.most = max(m.most, len(m.waiting))
		for len(m.waiting) > 0 && m.now.Sub(m.waiting[0]) >= 480*time.Millisecond {
			m.leave(0)
			m.expired++
		}
		for m.idle += tick; each > 0 && len(m.waiting) > 0 && m.idle >= each; m.idle -= each {
			m.leave(1)
			m.done++
		}
		if len(m.waiting) == 0 || each == 0 {
			m.idle = 0
		}
	}
}

func (m *model) arrive(err error) {
	n := m.load.enter()
	switch {
	case !m.load.fits(n, m.budget, m.now):
		m.shed++
		m.load.leave()
	case err != nil:
		m.load.leave() // an error teaches nothing
	default:
		m.waiting = append(m.waiting, m.now)
	}
}

func (m *model) leave(done int64) {
	m.waiting = m.waiting[1:]
	if m.load.busy() {
		m.load.learn(done, m.now)
	}
	m.load.leave()
}

func TestAtTenTimesTheCapacityTheWorkGoesOnAndNobodyIsLate(t *testing.T) {
	for _, each := range []time.Duration{200 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		m := newModel()
		capacity := int(time.Second / each)
		m.run(2*time.Second, 10*capacity, each, nil) // until it knows
		m.run(5*time.Second, 10*capacity, each, nil)
		if m.done < 5*capacity*9/10 {
			t.Errorf("%s each: %d were done, of %d that could have been", each, m.done, 5*capacity)
		}
		if m.expired > m.done/20 {
			t.Errorf("%s each: %d ran out of time, and %d were done", each, m.expired, m.done)
		}
		if m.shed < 4*m.done {
			t.Errorf("%s each: %d were shed, and %d done", each, m.shed, m.done)
		}
	}
}

func TestAtOrdinaryLoadNothingIsShed(t *testing.T) {
	m := newModel()
	m.run(10*time.Second, 900, time.Millisecond, nil)
	if m.shed+m.expired > 0 || m.done < 8990 {
		t.Errorf("%d done, %d shed, %d expired", m.done, m.shed, m.expired)
	}
}

func TestABurstAfterQuietIsLetIn(t *testing.T) {
	m := newModel()
	m.run(5*time.Second, 100, 2*time.Millisecond, nil)
	for range 150 { // it can be done in time
		m.arrive(nil)
	}
	m.run(time.Second, 100, 2*time.Millisecond, nil)
	if m.shed+m.expired > 0 {
		t.Errorf("%d were shed, %d expired", m.shed, m.expired)
	}
}

func TestStandstillsThatEndInTimeCostNobody(t *testing.T) {
	m := newModel()
	lost := 0
	m.run(2*time.Second, 1500, 300*time.Microsecond, nil)
	for range 3 { // the next one comes before the first is made up for
		m.run(200*time.Millisecond, 1500, 0, nil)
		lost += m.shed + m.expired
		m.run(120*time.Millisecond, 1500, 300*time.Microsecond, nil)
		lost += m.shed + m.expired
	}
	m.run(2*time.Second, 1500, 300*time.Microsecond, nil)
	if lost += m.shed + m.expired; lost > 0 {
		t.Errorf("%d were shed or expired", lost)
	}
}

func TestAfterAStandstillInWhichAllRanOutOfTimeTheCrowdIsLetInSoon(t *testing.T) {
	m := newModel()
	const each = 300 * time.Microsecond
	m.run(time.Second, 3200, each, nil) // a little less than can be done
	m.run(600*time.Millisecond, 3200, 0, nil)
	if m.expired == 0 || m.shed == 0 {
		t.Errorf("%d expired, %d were shed: that was no standstill", m.expired, m.shed)
	}
	m.run(250*time.Millisecond, 3200, each, nil)
	m.run(time.Second, 3200, each, nil)
	if m.shed+m.expired > 0 {
		t.Errorf("%d were still shed, %d expired", m.shed, m.expired)
	}
}

func TestAStallShedsTheCrowdAndItsEndIsNoticed(t *testing.T) {
	m := newModel()
	m.run(2*time.Second, 500, time.Millisecond, nil)
	m.run(10*time.Second, 500, 0, nil)
	if m.shed == 0 || m.most > 400 {
		t.Errorf("%d shed, %d waited at once", m.shed, m.most)
	}
	m.run(500*time.Millisecond, 500, time.Millisecond, nil) // those from before
	m.run(time.Second, 500, time.Millisecond, nil)
	if m.shed+m.expired > 0 {
		t.Errorf("after its end %d were shed, %d expired", m.shed, m.expired)
	}
}

func TestErrorsOfWhatIsDownTeachNothing(t *testing.T) {
	m := newModel()
	m.run(3*time.Second, 2000, 5*time.Millisecond, nil)
	before := m.load.each.Load()
	m.run(500*time.Millisecond, 2000, 0, errors.New("down"))
	if got := m.load.each.Load(); got < before { // those who waited have not become quicker
		t.Errorf("one costs %s, before it was %s", time.Duration(got), time.Duration(before))
	}
	m.run(2*time.Second, 2000, 0, errors.New("down"))
	if m.run(time.Second, 2000, 0, errors.New("down")); m.shed > 0 {
		t.Errorf("%d were shed by what was learned long ago", m.shed)
	}
}

func TestWhatWaitsSideBySideIsNotTakenForAQueue(t *testing.T) {
	const wait = 200 // ms that each takes, however many there are
	l := load{epoch: time.Unix(1e9, 0)}
	now, rate := l.epoch, 4
	var ends [wait]int // of those that are at work, by the time at which they end
	for ms := range 10_000 {
		now = now.Add(time.Millisecond)
		for range ends[ms%wait] {
			if l.busy() {
				l.learn(1, now)
			}
			l.leave()
		}
		ends[ms%wait] = rate
		for range rate {
			if n := l.enter(); !l.fits(n, 360*time.Millisecond, now) {
				t.Fatalf("the request %d is shed, at %d a millisecond", n, rate)
			}
		}
		if ms%500 == 499 && rate < 64 {
			rate += rate / 2
		}
	}
}

func TestBodiesThatDoNotComeAreNoWork(t *testing.T) {
	m := newModel()
	m.load.inFlight.Store(400)
	m.load.reading.Store(400)
	m.run(5*time.Second, 100, 20*time.Millisecond/4, nil)
	if m.shed+m.expired > 0 {
		t.Errorf("%d were shed, %d expired", m.shed, m.expired)
	}
}

func TestOnlyWorkTeaches(t *testing.T) {
	for _, tc := range []struct {
		name    string
		over    bool
		outcome hook.Outcome
		err     error
		done    int64
		tells   bool
	}{
		{"an event that is accepted", false, hook.OutcomeAccepted, nil, 1, true},
		{"an answer of another handler", false, "", nil, 1, true},
		{"an answer that refuses", false, hook.OutcomeRefused, nil, 1, false},
		{"a store that is down", false, "", hook.ErrStoreUnavailable, 0, false},
		{"a budget that is over", true, "", hook.ErrInFlight, 0, true},
	} {
		ctx := t.Context()
		if tc.over {
			ctx = overBudget(t)
		}
		_, st := newState(t)
		st.Outcome = string(tc.outcome)
		if done, tells := telling(ctx, st, tc.err); tells != tc.tells || tells && done != tc.done {
			t.Errorf("%s: got %d, %t", tc.name, done, tells)
		}
	}
	r, st := newState(t)
	r.Body = io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded))
	_, err := request.Body(r, 0)
	if _, tells := telling(overBudget(t), st, err); err == nil || tells {
		t.Errorf("a slow body teaches: %v", err)
	}
}

func BenchmarkFits(b *testing.B) {
	var l load
	now := time.Now()
	l.epoch = now
	l.each.Store(1)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.fits(l.enter(), time.Hour, now)
			l.leave()
		}
	})
}
