package allowlist

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// line is one line of the log.
type line struct {
	Level  string `json:"level"`
	File   string `json:"file"`
	Ranges int    `json:"ranges"`
	Before int    `json:"before"`
	Error  string `json:"error"`
}

// sink takes the lines of a log.
type sink chan []byte

func (s sink) Write(p []byte) (int, error) {
	s <- slices.Clone(p)
	return len(p), nil
}

// watched runs watch in a bubble of its own time, with a log that can be read.
// do is called with the source, its file, and a function that lets the file be
// looked at a few times and returns what was logged meanwhile.
func watched(t *testing.T, do func(t *testing.T, f *FileSource, path string, look func() []line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ranges.json")
		put(t, path, listing(map[string]string{"smtp": "192.0.2.0/24"}))
		log := make(sink, 64)
		encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{LevelKey: "level", EncodeLevel: zapcore.CapitalLevelEncoder})
		f := &FileSource{path: path, logger: zap.New(zapcore.NewCore(encoder, zapcore.AddSync(log), zap.DebugLevel))}
		seen, err := f.read()
		if err != nil {
			t.Fatal(err)
		}
		go f.watch(t.Context(), seen) // the bubble ends only once it has ended
		do(t, f, path, func() []line {
			time.Sleep(5 * pollEvery)
			synctest.Wait()
			var lines []line
			for len(log) > 0 {
				var l line
				if err := json.Unmarshal(<-log, &l); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, l)
			}
			return lines
		})
	})
}

// is reports whether one line was logged, with the level.
func is(t *testing.T, path string, lines []line, level string) {
	t.Helper()
	if len(lines) != 1 || lines[0].Level != level || lines[0].File != path || (level == "WARN") != (lines[0].Error != "") {
		t.Errorf("logged %+v, want one %s", lines, level)
	}
}

func TestAnUnchangedFileIsNotReadAgain(t *testing.T) {
	watched(t, func(t *testing.T, _ *FileSource, _ string, look func() []line) {
		if lines := look(); len(lines) != 0 {
			t.Errorf("logged %+v", lines)
		}
	})
}

func TestAChangedFileIsTakenOver(t *testing.T) {
	// Each change shows in one way only.
	sameSize := listing(map[string]string{"smtp": "192.0.3.0/24"})
	otherSize := listing(map[string]string{"smtp": "192.0.3.0/24", "imap": "192.0.3.0/24"})
	overwrite := func(t *testing.T, path string, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(t *testing.T, path string, when time.Time) {
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, path string, was time.Time){
		"by another file": func(t *testing.T, path string, was time.Time) { put(t, path, sameSize); at(t, path, was) },
		"by its size":     func(t *testing.T, path string, was time.Time) { overwrite(t, path, otherSize); at(t, path, was) },
		"by its time":     func(t *testing.T, path string, was time.Time) { overwrite(t, path, sameSize); at(t, path, was.Add(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			watched(t, func(t *testing.T, f *FileSource, path string, look func() []line) {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				change(t, path, info.ModTime())
				lines := look()
				is(t, path, lines, "INFO")
				if len(lines) == 1 && (lines[0].Ranges != 1 || lines[0].Before != 1) {
					t.Errorf("logged %+v, want the counts", lines)
				}
				if got := ranges(f); !slices.Equal(got, []string{"192.0.3.0/24"}) {
					t.Errorf("got %v", got)
				}
			})
		})
	}
}

func TestASwappedSymbolicLinkIsTakenOver(t *testing.T) {
	watched(t, func(t *testing.T, f *FileSource, path string, look func() []line) {
		dir := filepath.Dir(path)
		link := func(target string) { // as Kubernetes does: ranges.json -> ..data/ranges.json, ..data -> a folder
			next := filepath.Join(dir, "..data_tmp")
			if err := os.Symlink(target, next); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
				t.Fatal(err)
			}
		}
		for version, cidr := range map[string]string{"..1": "198.51.100.0/24", "..2": "203.0.113.0/24"} {
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, version, "ranges.json"), listing(map[string]string{"smtp": cidr}))
		}
		link("..1")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", "ranges.json"), path); err != nil {
			t.Fatal(err)
		}
		look()
		if got := ranges(f); !slices.Equal(got, []string{"198.51.100.0/24"}) {
			t.Fatalf("got %v", got)
		}
		link("..2")
		is(t, path, look(), "INFO")
		if got := ranges(f); !slices.Equal(got, []string{"203.0.113.0/24"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestABadFileLeavesTheLastGoodListAndIsReportedOnce(t *testing.T) {
	watched(t, func(t *testing.T, f *FileSource, path string, look func() []line) {
		stays := func() {
			t.Helper()
			if got := ranges(f); !slices.Equal(got, []string{"192.0.2.0/24"}) {
				t.Errorf("got %v", got)
			}
		}
		for _, bad := range []string{
			"{", "", `{"entities":[]}`, `{"entities":[{"cidr":"10.0.0.1/8"}]}`,
			"{", // as before, and yet another change
		} {
			put(t, path, []byte(bad))
			is(t, path, look(), "WARN")
			stays()
		}
		put(t, path, []byte("{")) // the same reason, but another file
		is(t, path, look(), "WARN")

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		is(t, path, look(), "WARN")
		stays()
		if lines := look(); len(lines) != 0 {
			t.Errorf("reported again: %+v", lines)
		}

		put(t, path, listing(map[string]string{"smtp": "198.51.100.0/24"}))
		is(t, path, look(), "INFO")
		if got := ranges(f); !slices.Equal(got, []string{"198.51.100.0/24"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestAnotherReasonIsReported(t *testing.T) {
	watched(t, func(t *testing.T, _ *FileSource, path string, look func() []line) {
		when := time.Unix(1<<30, 0)
		for _, bad := range []string{"{", "x"} { // the file looks the same from outside
			if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
			is(t, path, look(), "WARN")
		}
	})
}

func TestAFileIsTakenOverOnceWhatKeptItFromBeingReadIsGone(t *testing.T) {
	watched(t, func(t *testing.T, f *FileSource, path string, look func() []line) {
		// A link to a good file, behind a folder in the way: the good file
		// itself never changes.
		good := filepath.Join(filepath.Dir(path), "good.json")
		put(t, good, listing(map[string]string{"smtp": "198.51.100.0/24"}))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		is(t, path, look(), "WARN")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(good, path); err != nil {
			t.Fatal(err)
		}
		is(t, path, look(), "INFO")
		if got := ranges(f); !slices.Equal(got, []string{"198.51.100.0/24"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestTheFileIsLetGoWithTheConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // fails while a goroutine is left
		path := filepath.Join(t.TempDir(), "ranges.json")
		put(t, path, listing(map[string]string{"smtp": "192.0.2.0/24"}))
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		f := &FileSource{Path: path}
		if err := f.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * pollEvery)
		cancel()
		synctest.Wait()
		put(t, path, listing(map[string]string{"smtp": "198.51.100.0/24"}))
		time.Sleep(3 * pollEvery)
		if got := ranges(f); !slices.Equal(got, []string{"192.0.2.0/24"}) {
			t.Errorf("it still looks at the file: %v", got)
		}
	})
}

func TestARunningSourceTakesAChangeOverForItsReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ranges.json")
	put(t, path, listing(map[string]string{"smtp": "192.0.2.0/24"}))
	f := provision(t, &FileSource{Path: path, poll: time.Millisecond})
	put(t, path, listing(map[string]string{"smtp": "198.51.100.0/24"}))
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !slices.Equal(ranges(f), []string{"198.51.100.0/24"}) {
		select {
		case <-deadline:
			t.Fatalf("still %v", ranges(f))
		case <-tick.C:
		}
	}
}
