package genesys

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The header fields by which Genesys says how it is asked.
const (
	headerContextID = "ININ-Correlation-Id"
	headerCount     = "Inin-Ratelimit-Count"
	headerAllowed   = "Inin-Ratelimit-Allowed"
	headerReset     = "Inin-Ratelimit-Reset"
)

// retries decides about further attempts.
type retries struct {
	attempts int
	backoff  time.Duration
	maxWait  time.Duration
}

// next says how long to wait before the next attempt, after so many have
// failed. Genesys asks for retries after 429, 502, 503 and 504 alone. What
// creates something is not sent again where it may have been carried out:
// whoever called looks for it first.
func (r retries) next(err error, failed int, creates bool) (wait time.Duration, again bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || failed >= r.attempts || e.RetryAfter > r.maxWait {
		return 0, false
	}
	switch e.Status {
	case http.StatusTooManyRequests:
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if creates {
			return 0, false
		}
	default:
		return 0, false
	}
	return e.RetryAfter + r.jitter(failed), true
}

// jitter is a random pause up to one that doubles with each attempt.
func (r retries) jitter(failed int) time.Duration {
	limit := r.backoff << min(failed-1, 10)
	return rand.N(min(limit, maxBackoff)) + 1
}

// maxRetryAfter is the longest pause that is understood: a week.
const maxRetryAfter = 7 * 24 * time.Hour

// retryAfter reads the seconds that Genesys asks to wait.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
}

// exhausted returns how long the rate limit of the token is used up, which an
// answer says before the first 429.
func exhausted(h http.Header) time.Duration {
	count, err1 := strconv.Atoi(h.Get(headerCount))
	allowed, err2 := strconv.Atoi(h.Get(headerAllowed))
	reset, err3 := strconv.Atoi(h.Get(headerReset))
	if errors.Join(err1, err2, err3) != nil || allowed <= 0 || count < allowed || reset < 0 {
		return 0
	}
	return time.Duration(reset) * time.Second
}

// pause waits, and returns the context's error where that ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
