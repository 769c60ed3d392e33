package allowlist

import (
	"cmp"
	"context"
	"os"
	"time"

	"go.uber.org/zap"
)

// pollEvery is how long a change of the file may go unnoticed.
const pollEvery = 2 * time.Second

// watch reads the file again when it is not the one that was seen, until the
// config is gone. While that fails it is tried each time, because not every
// cause changes the file: rights, or too many open files.
func (f *FileSource) watch(ctx context.Context, seen os.FileInfo) {
	ticker := time.NewTicker(cmp.Or(f.poll, pollEvery))
	defer ticker.Stop()
	var reported *failure
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, err := os.Stat(f.path)
		if err == nil && same(seen, now) {
			reported = nil
			continue
		}
		before := len(*f.prefixes.Load())
		var read os.FileInfo
		if err == nil {
			read, err = f.read()
		}
		if err != nil {
			if reported == nil || !same(reported.file, now) || reported.why != err.Error() {
				f.logger.Warn("the ranges could not be read again: the last good ones stay",
					zap.String("file", f.path), zap.Int("ranges", before), zap.Error(err))
			}
			reported = &failure{file: now, why: err.Error()}
			continue
		}
		seen, reported = read, nil
		f.logger.Info("the ranges were read again",
			zap.String("file", f.path), zap.Int("ranges", len(*f.prefixes.Load())), zap.Int("before", before))
	}
}

// failure is what was last reported.
type failure struct {
	file os.FileInfo // nil where there was none
	why  string
}

// same reports whether two looks at the file saw the same, or none.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
