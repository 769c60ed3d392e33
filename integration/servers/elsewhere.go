package servers

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// elsewhere returns the root folder of the system whose servers are started: a
// newer Debian, as newer.sh makes it, or "" for this one.
func elsewhere() string { return strings.TrimSuffix(os.Getenv("HOOKGATE_TEST_ROOT"), "/") }

// Command is exec.CommandContext for a program that may come from elsewhere.
// Such a one has the network, the processes and the temporary files of this
// system; only root can start it. A relative name is looked for in PATH.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return commandAs(ctx, nil, name, args...)
}

func command(name string, args ...string) *exec.Cmd {
	return Command(context.Background(), name, args...)
}

// commandAs is Command as another user, or as the one of this process for nil.
func commandAs(ctx context.Context, who *syscall.Credential, name string, args ...string) *exec.Cmd {
	root := elsewhere()
	if root == "" {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
		return cmd
	}
	args = append([]string{name}, args...)
	if who != nil {
		// To become another user takes back that the process ends with its parent.
		args = append([]string{"setpriv", "--reuid", fmt.Sprint(who.Uid), "--regid", fmt.Sprint(who.Gid), "--clear-groups", "--pdeathsig", "KILL", "--"}, args...)
	}
	// A working directory that the other system does not have matters to none of
	// its programs. What is mounted is there for this process and its children
	// alone, and goes with them. Each step becomes the next: the process is the
	// program.
	const enter = `set -e; root=$1; temp=$2; shift 2
for folder in /proc /dev "$temp"; do mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"; done
folder=$PWD; [ -d "$root$folder" ] || folder=/
exec chroot "$root" env -C "$folder" "$@"`
	args = append([]string{"--mount", "--", "sh", "-c", enter, "sh", root, os.TempDir()}, args...)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	return cmd
}

// installed returns an error that says what to do where a program is missing.
func installed(name string) error {
	path := name
	if !filepath.IsAbs(path) {
		if path = filepath.Join("/usr/bin", name); elsewhere() == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if _, err := os.Stat(elsewhere() + path); path == "" || err != nil {
		return notInstalled(filepath.Base(name))
	}
	return nil
}

func notInstalled(name string) error {
	if root := elsewhere(); root != "" {
		return fmt.Errorf("%s is not in %s, which HOOKGATE_TEST_ROOT names (make test-newer installs it)", name, root)
	}
	return fmt.Errorf("%s is not installed (make test installs it)", name)
}

// userNamed returns a user of the system whose servers are started.
func userNamed(name string) (*syscall.Credential, error) {
	uid, gid := "", ""
	if root := elsewhere(); root == "" {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, err
		}
		uid, gid = u.Uid, u.Gid
	} else {
		file, err := os.Open(filepath.Join(root, "etc/passwd"))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan() && uid == ""; {
			if f := strings.Split(lines.Text(), ":"); len(f) == 7 && f[0] == name { // passwd(5)
				uid, gid = f[2], f[3]
			}
		}
	}
	u, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: uid %q: %w", name, uid, err)
	}
	g, err := strconv.ParseUint(gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: gid %q: %w", name, gid, err)
	}
	return &syscall.Credential{Uid: uint32(u), Gid: uint32(g)}, nil
}
