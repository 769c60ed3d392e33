package servers

import (
	"os/exec"
	"syscall"
)

// process is a server that runs. It leads a group of processes, and ends with
// the process that started it, also where that one is killed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and its output is written
}

// begin starts a command, as the user that it names.
func begin(cmd *exec.Cmd) (*process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ended reports whether the process has ended. There may be none.
func (p *process) ended() bool {
	if p == nil {
		return true
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends a signal to the group.
func (p *process) signal(s syscall.Signal) error { return syscall.Kill(-p.cmd.Process.Pid, s) }

// kill ends the group at once, if it runs, and waits for its end.
func (p *process) kill() {
	if p.ended() {
		return
	}
	_ = p.signal(syscall.SIGKILL)
	<-p.done
}
