package rabbitmq

import (
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// DefaultRetry are the delays of the tiers where none are set.
func DefaultRetry() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}
}

// tier is a queue in which events wait for a fixed time. Each delay has one of
// its own: in one queue for all, a message with a short time to live would wait
// behind those with a long one.
type tier struct {
	delay  time.Duration
	target *target
}

// The shortest and the longest delay. RabbitMQ 3.10 declares no queue with more
// than ten years.
const (
	minRetry = time.Second
	maxRetry = 10 * 365 * 24 * time.Hour
)

// CheckRetry returns an error for a delay that no tier can have.
func CheckRetry(delay time.Duration) error {
	switch {
	case delay < minRetry:
		return fmt.Errorf("rabbitmq: a retry after %s is shorter than a second", delay)
	case delay > maxRetry:
		return fmt.Errorf("rabbitmq: a retry after %s is longer than RabbitMQ keeps a message back: at most %s", delay, maxRetry)
	}
	return nil
}

// newTiers returns the tiers of a queue, the shortest first.
func newTiers(n Names, queue string, delays []time.Duration) []tier {
	delays = slices.Clone(delays)
	slices.Sort(delays)
	var tiers []tier
	for _, d := range slices.Compact(delays) {
		name := TierName(n, queue, d)
		tiers = append(tiers, tier{delay: d, target: &target{
			exchange: n.Retry, kind: amqp.ExchangeDirect, queue: name, key: name, args: tierArguments(queue, d),
		}})
		tiers[len(tiers)-1].target.missing.Store(&errUnchecked)
	}
	return tiers
}

// tierArguments are those of a tier's queue. The delay is the queue's, and a
// part of its name: another schedule makes other queues, and does not meet one
// that was declared with another delay.
func tierArguments(queue string, d time.Duration) amqp.Table {
	return amqp.Table{
		"x-queue-type":              "quorum",
		"x-message-ttl":             d.Milliseconds(),
		"x-dead-letter-exchange":    "", // the default one, which knows every queue by its name
		"x-dead-letter-routing-key": queue,
		"x-dead-letter-strategy":    "at-least-once",
		"x-overflow":                "reject-publish",
		"x-delivery-limit":          int64(1_000_000_000),
	}
}

// TierName returns the name of the tier of a queue for a delay: hookgate.retry.30s
// for the queue for events, <queue>.retry.30s for another.
func TierName(n Names, queue string, d time.Duration) string {
	prefix := n.Retry
	if queue != n.EventsIn {
		prefix = queue + ".retry"
	}
	return prefix + "." + shortDuration(d)
}

// shortDuration writes a duration in its largest whole unit, such as 2m.
func shortDuration(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%unit.of == 0 {
			return fmt.Sprintf("%d%s", d/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}
