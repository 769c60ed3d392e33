package edge

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Tags are the build tags that xcaddy sets.
const Tags = "nobadger,nomysql,nopgx"

// Build builds the program, with the race detector, into a folder, and returns
// its path.
func Build(dir string) (program string, err error) {
	program = filepath.Join(dir, "hookgate")
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-tags", Tags, "-o", program, "github.com/hookgate/hookgate/cmd/hookgate")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return program, nil
}

// Command runs a program with arguments, and returns its output.
func Command(t *testing.T, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	dir := t.TempDir()
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
