package embedded

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/hookgate/hookgate/hook"
)

func TestNewChecksItsOptionsAndTouchesNothing(t *testing.T) {
	for name, opts := range map[string]Options{
		"no path":         {},
		"a negative size": {Path: "x", MaxSize: -1},
	} {
		if _, err := New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	path := tempFile(t)
	d := unstarted(t, Options{Path: path})
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
	if s := d.Stats(); s.MaxBytes != 4<<30 {
		t.Errorf("%+v", s)
	}
}

func TestAStoreThatIsNotOpenSaysSo(t *testing.T) {
	d := unstarted(t, Options{})
	check := func(want error) {
		t.Helper()
		if err := d.Ready(); !errors.Is(err, want) {
			t.Errorf("ready: %v", err)
		}
		ctx := context.Background()
		_, _, claim := d.Claim(ctx, claimOn("k", 1, 1))
		_, publish := d.Publish(ctx, event("e"))
		_, counts := d.Counts(ctx)
		_, peek := d.Peek(ctx, hook.StateReady, 0, 1)
		for _, err := range []error{claim, publish, counts, peek} {
			if !errors.Is(err, want) || !errors.Is(err, hook.ErrUnavailable) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	}
	check(ErrNotStarted)
	for range 2 {
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	check(ErrClosed)
	if err := d.Start(); !errors.Is(err, ErrClosed) {
		t.Errorf("start: %v", err)
	}

	d = started(t, Options{})
	if err := d.Start(); err != nil {
		t.Errorf("a second start: %v", err)
	}
	if err := d.Ready(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	check(ErrClosed)
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	d := started(t, Options{})
	for path, want := range map[string]os.FileMode{d.path: 0o600, filepath.Dir(d.path): 0o700 | os.ModeDir} {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode() != want {
			t.Errorf("%v, %v, want %v", fi.Mode(), err, want)
		}
	}
}

func TestEverythingIsThereAfterOpeningAgain(t *testing.T) {
	path := tempFile(t)
	d := started(t, Options{Path: path})
	for _, id := range []string{"a", "b"} {
		accepted(t, d, id)
	}
	if _, err := d.Park(t.Context(), event("p"), hook.Fault{Kind: hook.KindInvalid}); err != nil {
		t.Fatal(err)
	}
	if s, _, err := d.Claim(t.Context(), claimOn("open", 1, 5)); s != hook.Ours || err != nil {
		t.Fatal(s, err)
	}
	before := d.Stats()
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	d = started(t, Options{Path: path})
	after := d.Stats()
	if after.Ready != 2 || after.Dead != 1 || after.Keys != 3 || after.UsedBytes != before.UsedBytes || after.FileBytes != before.FileBytes {
		t.Errorf("%+v, before %+v", after, before)
	}
	if s, fp, err := d.Claim(t.Context(), claimOn("open", 2, 6)); s != hook.Pending || fp[0] != 5 || err != nil {
		t.Errorf("the open claim: %v %v %v", s, fp[0], err)
	}
	if s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", "a"), 2, 1), event("a"), nil); s != hook.Committed || err != nil {
		t.Errorf("the event again: %v %v", s, err)
	}
	accepted(t, d, "c")
	entries, err := d.Peek(t.Context(), hook.StateReady, 0, 10)
	if err != nil || len(entries) != 3 || entries[2].Seq != 3 || entries[2].Event.ID != "c" {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	intact(t, d)
}

func TestAFileInUseIsSaidToBe(t *testing.T) {
	first := started(t, Options{})
	second := unstarted(t, Options{Path: first.path})
	err := second.Start()
	if !errors.Is(err, ErrInUse) || err.Error() != "embedded: the file "+first.path+" is in use by another process: stop that, or give each a data_dir of its own" {
		t.Errorf("%v", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(t, second) // and when it is free it starts
	accepted(t, second, "e")
}

func TestAFolderThatCannotBeMadeIsSaidToBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "hookgate.db"), filepath.Join(file, "deeper", "hookgate.db")} {
		err := unstarted(t, Options{Path: path}).Start()
		if err == nil || !strings.HasPrefix(err.Error(), "embedded: the folder "+filepath.Dir(path)+" cannot be made: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
	err := unstarted(t, Options{Path: t.TempDir()}).Start()
	if err == nil || !strings.Contains(err.Error(), "cannot be opened") {
		t.Errorf("a folder instead of a file: %v", err)
	}
}

func TestAFileThatIsNotOursIsLeftAlone(t *testing.T) {
	change := func(fn func(tx *bolt.Tx) error) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(fn), db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(key string, value ...byte) func(*testing.T, string) {
		return change(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(key), value) })
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, string)
		want   string
	}{
		"a newer format":      {put(keyFormat, 3), "its format is 3, and 2 is the newest that is known"},
		"no format":           {put(keyFormat), "it has no format"},
		"damaged counts":      {put(keyCounts, 1, 2, 3), "its counts are damaged"},
		"a bucket is missing": {change(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketDead)) }), "it has no dead"},
		"another's database":  {change(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketMeta)) }), "it has no format"},
		"not a database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("text ", 10_000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "invalid"},
		"cut short": {func(t *testing.T, path string) {
			if err := os.Truncate(path, int64(os.Getpagesize())*4); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := started(t, Options{})
			ev := event("e")
			ev.Body = make([]byte, 100_000)
			if _, err := d.Publish(t.Context(), ev); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			tc.change(t, d.path)
			before, err := os.ReadFile(d.path)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second must not find it in use by the first
				err = unstarted(t, Options{Path: d.path}).Start()
				if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v", err)
				}
			}
			after, err := os.ReadFile(d.path)
			if err != nil || string(before) != string(after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestPeekPagesThroughAQueue(t *testing.T) {
	d := started(t, Options{})
	const n = 3*chunkEntries + 5
	for i := range n {
		o, err := d.newEventOp((*batch).publish, event(string(rune('a'+i%26))), nil)
		if err != nil {
			t.Fatal(err)
		}
		d.ops <- o
	}
	eventually(t, "all are there", func() bool { return d.Stats().Ready == n })
	for name, tc := range map[string]struct {
		after uint64
		limit int
		first uint64
		n     int
	}{
		"all":                      {0, n + 10, 1, n},
		"exactly all":              {0, n, 1, n},
		"a few":                    {0, 3, 1, 3},
		"from the middle":          {100, 200, 101, 200},
		"the end":                  {n - 2, 10, n - 1, 2},
		"behind the end":           {n, 10, 0, 0},
		"behind every end":         {math.MaxUint64, 10, 0, 0},
		"none":                     {0, 0, 0, 0},
		"less than none":           {0, -1, 0, 0},
		"a whole number of chunks": {0, 2 * chunkEntries, 1, 2 * chunkEntries},
	} {
		entries, err := d.Peek(t.Context(), hook.StateReady, tc.after, tc.limit)
		if err != nil || len(entries) != tc.n {
			t.Errorf("%s: %d entries, %v", name, len(entries), err)
			continue
		}
		for i, e := range entries {
			if e.Seq != tc.first+uint64(i) {
				t.Errorf("%s: entry %d has the sequence %d", name, i, e.Seq)
				break
			}
		}
	}
	if _, err := d.Peek(t.Context(), "other", 0, 1); err == nil {
		t.Error("a state that there is not: no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Peek(ctx, hook.StateReady, 0, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := d.Counts(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAnEntryThatIsDamagedIsNamedAndCanBePassed(t *testing.T) {
	path := tempFile(t)
	d := started(t, Options{Path: path})
	for _, id := range []string{"a", "b"} {
		accepted(t, d, id)
	}
	if err := d.bolt.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketReady)).Put([]byte{7: 1}, []byte{9})
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Peek(t.Context(), hook.StateReady, 0, 10); !errors.Is(err, errEnvelope) || !strings.Contains(err.Error(), "entry 1: ") {
		t.Error(err)
	}
	entries, err := d.Peek(t.Context(), hook.StateReady, 1, 10)
	if err != nil || len(entries) != 1 || entries[0].Event.ID != "b" {
		t.Errorf("%d %v", len(entries), err)
	}
}

func TestADamagedKeyFailsItselfAlone(t *testing.T) {
	c := newClock()
	d := unstarted(t, Options{Now: c.now})
	d.freshEnough = 1 // each is in its place at once
	begin(t, d)
	accepted(t, d, "a")
	damaged := hashKey(hook.EventKey("h", "a"))
	if err := d.bolt.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketKeys)).Put(damaged[:], []byte{9})
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Claim(t.Context(), claimOn(hook.EventKey("h", "a"), 2, 2)); !errors.Is(err, errRecord) || !errors.Is(err, hook.ErrUnavailable) {
		t.Error(err)
	}
	accepted(t, d, "b")
	c.advance(49 * 3600e9)
	accepted(t, d, "c") // sweeps over it
	if s := d.Stats(); s.Ready != 3 || d.Ready() != nil {
		t.Errorf("%+v %v", s, d.Ready())
	}
}
