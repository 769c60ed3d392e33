package failfast

import (
	"sync/atomic"
	"time"
)

const (
	// quiet is how many requests are worked on at once without a question.
	quiet = 16

	// lull is below how many the pace is not that of the work any more, but that
	// in which requests come.
	lull = 8

	// window is how long is looked on to learn the pace.
	window = 100 * time.Millisecond

	// gap is how long nothing gets done before the next that is says nothing of
	// the pace: something stood still, and goes on now.
	gap = window / 2

	// memory is how long the pace counts once it was learned.
	memory = time.Second
)

// load is what a hook has to do, and how fast it gets it done: while many
// requests are worked on, the time that passes divided by how many are done in
// it is what each costs. That, times how many there are, is how long a new one
// will take. It holds for a queue as for work side by side: the more there are
// that only wait beside each other, the more are done in the same time.
//
// It corrects itself: whoever is let in and done teaches it, quiet requests at a
// time are always let in, and after a second without news it knows nothing and
// refuses nothing. It has no lock. Two that teach at once may lose a lesson.
//
// Who still waits for his body is no work: that is his sender's pace. Nor is a
// standstill that ends in time, such as that of a queue which does not answer
// until another takes its place: it has held up all at once, and who came then
// is not to be refused for it.
type load struct {
	epoch    time.Time // set once, before use
	inFlight atomic.Int64
	reading  atomic.Int64 // of those, whose body has not arrived

	since   atomic.Int64 // when the window began, in nanoseconds since epoch; 0: there is none
	done    atomic.Int64 // since then
	last    atomic.Int64 // when the last one got done, in nanoseconds since epoch
	each    atomic.Int64 // what one costs, in nanoseconds; 0: not known
	learned atomic.Int64 // when that was learned, in nanoseconds since epoch
}

// enter counts a request in and returns how many there are with it.
func (l *load) enter() int64 { return l.inFlight.Add(1) }

// leave counts it out.
func (l *load) leave() {
	if l.inFlight.Add(-1)-l.reading.Load() < lull && l.since.Load() != 0 {
		l.since.Store(0)
	}
}

// busy reports whether there is something to learn from a request that is done.
func (l *load) busy() bool { return l.inFlight.Load()-l.reading.Load() >= lull }

// fits reports whether the last of n requests will be done within d.
func (l *load) fits(n int64, d time.Duration, now time.Time) bool {
	if n -= l.reading.Load(); n <= quiet {
		return true
	}
	each := l.each.Load()
	if each == 0 || l.at(now)-l.learned.Load() > int64(memory) {
		return true
	}
	return n <= int64(d)/each
}

// at returns a time as the counters have it.
func (l *load) at(now time.Time) int64 { return int64(now.Sub(l.epoch)) + 1 }

// learn counts so many as done: one, or none where a request has run out of
// time, which shows that the hook stands still where nobody else comes to show
// it.
func (l *load) learn(done int64, now time.Time) {
	at, since := l.at(now), l.since.Load()
	passed := at - since
	resumed := done > 0 && at-l.last.Swap(at) > int64(gap)
	if since == 0 || passed > int64(memory) || resumed {
		if l.since.CompareAndSwap(since, at) {
			l.done.Store(0)
		}
		return
	}
	done = l.done.Add(done)
	if passed < int64(window) || !l.since.CompareAndSwap(since, at) {
		return
	}
	l.done.Store(0)
	each := passed / max(done, 1)
	// What goes on faster than before is believed at once: after a standstill in
	// which all ran out of time, every window that is waited costs good requests.
	if last := l.each.Load(); each > last && last != 0 && at-l.learned.Load() <= int64(memory) {
		each = (each + last) / 2
	}
	l.each.Store(max(each, 1))
	l.learned.Store(at)
}
