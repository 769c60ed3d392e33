package rabbitmq

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout is how long what was sent may stay unacknowledged by the peer's
// kernel (RFC 5482) before the connection is given up.
const userTimeout = 5 * time.Second

func controlSocket(_, _ string, c syscall.RawConn) error {
	var err error
	ctl := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	if ctl != nil {
		return ctl
	}
	return err
}
