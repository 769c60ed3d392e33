package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 5 6 7 8 1234 66 90 91 20 0 7 0 100 200 300\n"
	for _, c := range []struct {
		name, stat string
		want       time.Duration
		fails      bool
	}{
		{"a plain name", "42 (hookgate)" + rest, 13 * time.Second, false},
		{"a name with spaces and parentheses", "42 (a) b (c)" + rest, 13 * time.Second, false},
		{"no name", "42 hookgate", 0, true},
		{"cut short", "42 (hookgate) S 1 2 3", 0, true},
		{"not a number", "42 (hookgate) S 1 2 3 0 -1 4194560 5 6 7 8 x 66 90", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStat([]byte(c.stat))
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	for _, c := range []struct {
		name, status string
		want         int64
		fails        bool
	}{
		{"as the kernel writes it", "Name:\thookgate\nVmRSS:\t   90000 kB\nRssAnon:\t   12345 kB\nRssFile:\t  77655 kB\n", 12345 << 10, false},
		{"without it", "Name:\tRssAnon\nVmRSS:\t 1 kB\n", 0, true},
		{"another unit", "RssAnon:\t 1 MB\n", 0, true},
		{"not a number", "RssAnon:\t many kB\n", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStatus([]byte(c.status))
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}

// The kernel's own files are as the parsers take them to be.
func TestOfThisProcess(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
	}
	if after, err := cpuTime(os.Getpid()); err != nil || after <= before {
		t.Errorf("50 ms of work took %s, %v", after-before, err)
	}
	if n, err := anonymousMemory(os.Getpid()); err != nil || n < 1<<16 || n > 1<<33 {
		t.Errorf("memory: %d, %v", n, err)
	}
}
