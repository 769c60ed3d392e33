package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pinning says which processor cores are whose.
type pinning struct {
	edge []int // the program that is measured
	rest []int // the load and the servers
}

// newPinning gives the edge the first core that we may use, and the rest the
// other ones. With a single core they share it.
func newPinning() (pinning, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return pinning{}, fmt.Errorf("ask for the cores: %w", err)
	}
	var cores []int
	for i := 0; len(cores) < set.Count(); i++ {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	if len(cores) == 1 {
		return pinning{edge: cores, rest: cores}, nil
	}
	return pinning{edge: cores[:1], rest: cores[1:]}, nil
}

// shared reports whether load and edge are in each other's way.
func (p pinning) shared() bool { return p.edge[0] == p.rest[0] }

// pinRest puts this process on the cores for the rest, and with it every
// process that it starts from now on.
func (p pinning) pinRest() error {
	set := cpuSet(p.rest)
	// There is no call for a whole process; threads made later inherit.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("set the cores: %w", err)
		}
	}
	runtime.GOMAXPROCS(len(p.rest))
	return nil
}

// startEdge starts a command on the cores of the edge, whose Go runtime takes
// its GOMAXPROCS from them.
func (p pinning) startEdge(cmd *exec.Cmd) error {
	// A child inherits from the thread that forks it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	edge, rest := cpuSet(p.edge), cpuSet(p.rest)
	if err := unix.SchedSetaffinity(0, &edge); err != nil {
		return fmt.Errorf("set the cores: %w", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &rest) }()
	return cmd.Start()
}

func cpuSet(cores []int) unix.CPUSet {
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
	}
	return set
}

// String returns the pinning for the head of a report.
func (p pinning) String() string {
	if p.shared() {
		return "one core for all: the load is in the way of what is measured"
	}
	return fmt.Sprintf("edge on core %s, load and servers on %s", list(p.edge), list(p.rest))
}

func list(cores []int) string {
	s := make([]string, len(cores))
	for i, c := range cores {
		s[i] = strconv.Itoa(c)
	}
	return strings.Join(s, ",")
}
