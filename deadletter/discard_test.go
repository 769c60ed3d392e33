package deadletter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// archived returns the IDs of the events in archives.
func archived(t interface{ Fatal(...any) }, paths ...string) (ids []string) {
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var r Record
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.EventID)
		}
		f.Close()
	}
	return ids
}

func TestWhatIsDiscardedIsInTheArchive(t *testing.T) {
	f := newFake(append(letters(4), letter("other", hook.KindPoison))...)
	path := filepath.Join(t.TempDir(), "archive.jsonl")
	report, err := Discard(t.Context(), &Local{Letters: f}, DiscardOptions{Filter: Filter{Kind: hook.KindExhausted}, Limit: 3, Archive: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Matched: 4, Done: 3, Left: 1, Limited: true}, report); diff != "" {
		t.Error(diff)
	}
	if got := archived(t, path); !cmp.Equal(got, []string{"evt-0", "evt-1", "evt-2"}) {
		t.Errorf("the archive has %v", got)
	}
	if got := f.ids(); !cmp.Equal(got, []string{"evt-3", "other"}) {
		t.Errorf("left are %v", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestNothingIsDiscardedWithoutAnArchive(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		there:                             "is there already",
		filepath.Join(dir, "none", "x"):   "no such file",
		"":                                "a file for the letters is missing",
		"/dev/full":                       "is there already",
		filepath.Join(dir, "bad\x00name"): "invalid",
	} {
		f := newFake(letters(2)...)
		_, err := Discard(t.Context(), &Local{Letters: f}, DiscardOptions{All: true, Archive: path}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || len(f.letters) != 2 {
			t.Errorf("%q: %v, %d letters", path, err, len(f.letters))
		}
	}
	f := newFake(letters(2)...)
	f.damaged = errCrash
	path := filepath.Join(dir, "cut")
	if _, err := Discard(t.Context(), &Local{Letters: f}, DiscardOptions{All: true, Archive: path}, nil); !errors.Is(err, errCrash) || len(f.letters) != 2 {
		t.Errorf("a list that ends early: %v, %d letters", err, len(f.letters))
	}
}

func TestNoLetterNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive")
	report, err := Discard(t.Context(), &Local{Letters: newFake()}, DiscardOptions{All: true, Archive: path}, nil)
	if _, e := os.Stat(path); err != nil || report.Matched != 0 || !errors.Is(e, os.ErrNotExist) {
		t.Errorf("%+v, %v, %v", report, err, e)
	}
}

func TestOnlyAsManyCopiesAreRemovedAsWereMeant(t *testing.T) {
	l := letter("evt", hook.KindPoison)
	f := newFake(l, l, l)
	report, err := (&Local{Letters: f}).Remove(t.Context(), RemoveOptions{IDs: []string{l.ID, l.ID, "0123456789abcdef"}}, nil)
	if err != nil || report.Done != 2 || report.Left != 1 || len(f.letters) != 1 {
		t.Errorf("%+v, %v, %d letters", report, err, len(f.letters))
	}
}

func TestALetterIsInTheArchiveOrStillThereWheneverItEnds(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		f := newFake(letters(rapid.IntRange(0, 6).Draw(t, "letters"))...)
		want := len(f.letters)
		var paths []string
		for range rapid.IntRange(1, 3).Draw(t, "runs") {
			run++
			f.crashAfter = rapid.IntRange(-1, 6).Draw(t, "crash")
			ctx, cancel := context.WithCancel(t.Context())
			cancelAt := rapid.IntRange(0, 6).Draw(t, "cancel")
			path := filepath.Join(dir, strconv.Itoa(run))
			paths = append(paths, path)
			_, _ = Discard(ctx, &Local{Letters: f}, DiscardOptions{All: true, Archive: path}, func(p Progress) {
				if p.Done == cancelAt {
					cancel()
				}
			})
			cancel()
		}
		there := map[string]bool{}
		for _, id := range append(archived(t, paths...), f.ids()...) {
			there[id] = true
		}
		if len(there) != want {
			t.Fatalf("%d of %d are there", len(there), want)
		}
	})
}

func TestAListGivesTheOldestAndCountsAll(t *testing.T) {
	f := newFake(letters(5)...)
	var got []string
	n, err := (&Local{Letters: f}).List(t.Context(), ListOptions{Limit: 2, Values: true}, func(r *Record) error {
		got = append(got, r.EventID)
		return nil
	})
	if err != nil || n != 5 || !cmp.Equal(got, []string{"evt-0", "evt-1"}) || len(f.letters) != 5 {
		t.Errorf("%v, %d, %v", got, n, err)
	}
	if _, err := (&Local{Letters: f}).List(t.Context(), ListOptions{}, func(*Record) error { return errCrash }); !errors.Is(err, errCrash) {
		t.Errorf("got %v", err)
	}
	if _, err := (&Local{Letters: f}).List(t.Context(), ListOptions{Filter: Filter{Kind: "x"}}, nil); err == nil {
		t.Error("a filter that makes no sense is taken")
	}
}
