package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc/<pid>/stat: USER_HZ, 100 a second on
// every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime returns the processor time that a process has used so far, user and
// system, ended threads included.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(stat)
}

// parseStat adds utime and stime of /proc/<pid>/stat, its fields 14 and 15;
// see proc_pid_stat(5).
func parseStat(stat []byte) (time.Duration, error) {
	// Field 2 is the program's name in parentheses, and may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("no name in %q", stat)
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("too few fields in %q", stat)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// anonymousMemory returns the resident memory of a process that no file backs,
// in bytes: heap and stacks, and neither the program nor mapped data.
func anonymousMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseStatus(status)
}

// parseStatus finds RssAnon in /proc/<pid>/status, which is in KiB.
func parseStatus(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		value, ok := bytes.CutPrefix(line, []byte("RssAnon:"))
		if !ok {
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return 0, fmt.Errorf("RssAnon is %q", bytes.TrimSpace(value))
		}
		n, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("RssAnon: %w", err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("no RssAnon among %d bytes", len(status))
}
