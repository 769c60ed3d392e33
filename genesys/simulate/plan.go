package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// whole is a share of 1. Shares are counted in millionths, because sums of
// fractions like 0.1 miss the whole numbers.
const whole = 1_000_000

func parts(share float64) int { return int(math.Round(share * whole)) }

// step is one event of the plan, with its copies.
type step struct {
	kind      Kind   // Good, Malformed, Oversized or Slow
	way       string // how the body is wrong, for Malformed and Oversized
	body      []byte
	inFlight  bool // send it twice at the same time
	duplicate bool // send it again once it was answered
	chunked   [4]bool
}

// The indexes of step.chunked: each copy is framed by itself.
const (
	firstCopy = iota
	inFlightCopy
	duplicateCopy
	retryCopy
)

// plan decides what is sent. It is used by one goroutine.
type plan struct {
	opts    *Options
	payload *payload
	writer  writer

	kinds      [4]Kind
	shares     [4]int
	due        [4]int // how much of a kind is owed
	duplicates evenly
	inFlight   evenly
}

func newPlan(o *Options, seed uint64) *plan {
	p := &plan{
		opts:       o,
		writer:     writer{rng: rand.New(rand.NewPCG(seed, 0))},
		kinds:      [4]Kind{Good, Malformed, Oversized, Slow},
		shares:     [4]int{0, parts(o.Malformed), parts(o.Oversized), parts(o.Slow)},
		duplicates: evenly{share: parts(o.Duplicates)},
		// Half a turn away from the duplicates: equal shares take turns.
		inFlight: evenly{share: parts(o.InFlight), due: whole / 2},
	}
	p.payload = payloadOf(o.Payload)
	if p.payload == nil {
		p.payload = &payloads[0]
	}
	p.writer.release, _ = parseRelease(o.Release) // it was checked
	if p.payload.lines {
		p.writer.integration = p.writer.uuid()
	}
	p.shares[0] = whole - p.shares[1] - p.shares[2] - p.shares[3]
	return p
}

// next returns the next event, which happened now.
func (p *plan) next(now time.Time) (step, error) {
	body, err := p.payload.body(p.writer, now)
	if err != nil {
		return step{}, err
	}
	s := step{kind: p.kind(), body: body}
	switch s.kind {
	case Good:
		s.duplicate, s.inFlight = p.duplicates.take(), p.inFlight.take()
	case Malformed:
		s.body, s.way = p.writer.malform(body, p.payload)
	case Oversized:
		s.way = "too_large"
		s.body = p.writer.oversize(body, p.opts.MaxBody)
	}
	for i := range s.chunked[:retryCopy] {
		s.chunked[i] = p.writer.rng.Float64() < p.opts.Chunked
	}
	s.chunked[retryCopy] = s.chunked[firstCopy]
	return s, nil
}

// kind takes the kind that is owed most, which spreads them evenly and meets
// each share to within one event (smooth weighted round-robin).
func (p *plan) kind() Kind {
	most := 0
	for i := range p.due {
		p.due[i] += p.shares[i]
		if p.due[i] > p.due[most] {
			most = i
		}
	}
	p.due[most] -= whole
	return p.kinds[most]
}

// evenly says yes to a share of the questions, evenly spread.
type evenly struct{ share, due int }

func (e *evenly) take() bool {
	e.due += e.share
	if e.due < whole {
		return false
	}
	e.due -= whole
	return true
}
