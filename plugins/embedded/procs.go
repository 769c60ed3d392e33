package embedded

import (
	"os"
	"runtime"

	"go.uber.org/zap"
)

// roomToSync lets other goroutines run while one waits for the disk. What waits
// in a system call keeps its place to run until the runtime takes it away, some
// milliseconds later each time: with one place, as on a machine or in a
// container with one CPU, the whole process would stand still for the better
// part of every fsync, and so would the clocks of its deadlines. Measured: 64
// connections on one CPU, 2,700 accepts a second and answers after 1.4 s with
// one place, 8,600 and 33 ms with two.
//
// Who has set GOMAXPROCS has the word.
func (d *DB) roomToSync() {
	if runtime.GOMAXPROCS(0) > 1 {
		return
	}
	if os.Getenv("GOMAXPROCS") != "" {
		d.log.Warn("with GOMAXPROCS=1 everything waits while the disk is written: set it to 2, or not at all")
		return
	}
	runtime.GOMAXPROCS(2)
	d.log.Debug("GOMAXPROCS is 2, so that not everything waits while the disk is written", zap.Int("cpus", runtime.NumCPU()))
}
