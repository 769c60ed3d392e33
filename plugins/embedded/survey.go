package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

// Survey is what there is to know about the events in a DB beside their number.
type Survey struct {
	OldestReady time.Time // when the oldest came in that waits or is at work; zero for none
	OldestDue   time.Time // the same, of those that are tried again later

	// Tiers are the events that are tried again later, by how long they were
	// put off. 0 is not known.
	Tiers map[time.Duration]int

	Dead       map[hook.Kind]int // dead letters
	Unreadable int               // dead letters that are damaged
}

// surveyRest is how long a survey is good, and surveyShare the part of the time
// that looking may take: the more there is, the less often it is looked at.
const (
	surveyRest  = 5 * time.Second
	surveyShare = 100
)

// lastSurvey is the last one.
type lastSurvey struct {
	mu     sync.Mutex
	result Survey
	at     time.Time // when it was begun; zero for never
	took   time.Duration
}

// Survey looks through the events that are due and the dead letters, unless it
// did so a moment ago: then it returns what it found. With millions of letters
// that may be minutes ago.
func (d *DB) Survey(ctx context.Context) (Survey, error) {
	l := &d.surveyed
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.at.IsZero() && time.Since(l.at) < max(surveyRest, surveyShare*l.took) {
		return l.result, nil
	}
	begin := time.Now()
	s, err := d.survey(ctx)
	if err == nil {
		l.result, l.at, l.took = s, begin, time.Since(begin)
	}
	return s, err
}

func (d *DB) survey(ctx context.Context) (s Survey, err error) {
	if err := d.readable(); err != nil {
		return s, err
	}
	if s.OldestReady, err = d.oldest(bucketReady); err != nil {
		return s, err
	}
	if s.OldestDue, err = d.oldest(bucketLater); err != nil {
		return s, err
	}
	if s.Tiers, err = d.tiers(ctx); err != nil {
		return s, err
	}
	s.Dead = make(map[hook.Kind]int)
	for l := (look{bucket: bucketDead, more: true}); l.more; {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		letters, err := d.read(&l, chunkEntries)
		if damaged, ok := errors.AsType[*hook.Damaged](err); ok {
			s.Unreadable++
			l.after = damaged.Seq
			continue
		}
		if err != nil {
			return s, err
		}
		for _, e := range letters {
			if e.Fault != nil {
				s.Dead[e.Fault.Kind]++
			}
		}
	}
	return s, nil
}

// oldest returns when the first event of a bucket came in: they keep their
// places.
func (d *DB) oldest(bucket string) (time.Time, error) {
	l := look{bucket: bucket}
	for {
		entries, err := d.read(&l, 1)
		if damaged, ok := errors.AsType[*hook.Damaged](err); ok {
			l.after = damaged.Seq
			continue
		}
		if err != nil || len(entries) == 0 {
			return time.Time{}, err
		}
		return entries[0].At, nil
	}
}

// tiers counts the entries of the index of events that are due, by how long
// they were put off, in chunks.
func (d *DB) tiers(ctx context.Context) (map[time.Duration]int, error) {
	n := make(map[time.Duration]int)
	var from []byte
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := guard(func() error {
			return d.bolt.View(func(tx *bolt.Tx) error {
				more = false
				b := tx.Bucket([]byte(bucketLaterAt))
				if b == nil {
					return nil
				}
				c := b.Cursor()
				k, v := c.Seek(from)
				for range 32 * chunkEntries {
					if k == nil {
						return nil
					}
					n[delayOf(v)]++
					k, v = c.Next()
				}
				from, more = append(from[:0], k...), k != nil
				return nil
			})
		})
		if err != nil {
			return nil, fmt.Errorf("embedded: %w", err)
		}
	}
	return n, nil
}

// delayOf reads how long an event was put off. Files from before it was kept
// have nothing.
func delayOf(v []byte) time.Duration {
	if len(v) != 8 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(v)) * time.Millisecond
}
