package edge

import (
	"bytes"
	"sync"
	"testing"
	"time"
)

// Eventually polls until the condition holds.
func Eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	if !Within(limit, condition) {
		t.Fatalf("not within %s: %s", limit, what)
	}
}

// Within is Eventually for those who report in their own words.
func Within(limit time.Duration, condition func() bool) bool {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// Log is what a process wrote, for reading while it runs.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns all of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Tail returns the last n bytes of a text.
func Tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "..." + s[len(s)-n:]
}
