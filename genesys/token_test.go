package genesys

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// fetcher counts how many tokens were fetched, each good for life and fetched
// in took.
func fetcher(life, took time.Duration, n *int) func(context.Context) (*oauth2.Token, error) {
	return func(ctx context.Context) (*oauth2.Token, error) {
		*n++
		if err := pause(ctx, took); err != nil {
			return nil, err
		}
		return &oauth2.Token{AccessToken: string(rune('a' + *n - 1)), Expiry: time.Now().Add(life)}, nil
	}
}

func TestATokenIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	for _, tc := range []struct{ life, good time.Duration }{
		{24 * time.Hour, 24*time.Hour - time.Minute},
		{5 * time.Minute, 5*time.Minute - 30*time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			tokens := &tokens{ctx: t.Context(), fetch: fetcher(tc.life, 0, &n), timeout: time.Minute}
			get := func() {
				t.Helper()
				if _, err := tokens.get(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			get()
			time.Sleep(tc.good - time.Second)
			get()
			if n != 1 {
				t.Errorf("%s: fetched %d times", tc.life, n)
			}
			time.Sleep(2 * time.Second)
			get()
			if n != 2 {
				t.Errorf("%s: fetched %d times", tc.life, n)
			}
		})
	}
}

func TestOneFetchServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		tokens := &tokens{ctx: t.Context(), fetch: fetcher(time.Hour, 10*time.Second, &n), timeout: time.Minute}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tokens.get(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		results := make(chan string, 5)
		for range cap(results) {
			go func() {
				token, _ := tokens.get(t.Context())
				results <- token
			}()
		}
		for range cap(results) {
			if token := <-results; token != "a" {
				t.Errorf("got %q", token)
			}
		}
		if n != 1 {
			t.Errorf("fetched %d times", n)
		}
	})
}

func TestATokenIsDroppedOnlyWhileItIsTheOne(t *testing.T) {
	n := 0
	tokens := &tokens{ctx: t.Context(), fetch: fetcher(time.Hour, 0, &n), timeout: time.Minute}
	first, _ := tokens.get(t.Context())
	tokens.drop(first)
	second, _ := tokens.get(t.Context())
	tokens.drop(first) // by a call that was slow
	third, _ := tokens.get(t.Context())
	if second == first || third != second {
		t.Errorf("got %s, %s, %s", first, second, third)
	}
}

func TestAFetchThatHangsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		tokens := &tokens{ctx: t.Context(), fetch: fetcher(time.Hour, 24*time.Hour, &n), timeout: time.Minute}
		if _, err := tokens.get(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPauseIsFullJitterWithinItsBounds(t *testing.T) {
	r := retries{attempts: 100, backoff: time.Second, maxWait: time.Minute}
	err := &Error{Status: 503}
	for failed, limit := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 50: maxBackoff} {
		least, most := time.Hour, time.Duration(0)
		for range 2000 {
			wait, again := r.next(err, failed, false)
			if !again || wait <= 0 || wait > limit+1 {
				t.Fatalf("attempt %d: %s, %t", failed, wait, again)
			}
			least, most = min(least, wait), max(most, wait)
		}
		if least > limit/10 || most < limit*9/10 {
			t.Errorf("attempt %d: %s to %s of %s", failed, least, most, limit)
		}
	}
	if wait, again := r.next(&Error{Status: 429, RetryAfter: 42 * time.Second}, 1, true); !again || wait < 42*time.Second || wait > 44*time.Second {
		t.Errorf("got %s, %t", wait, again)
	}
}
