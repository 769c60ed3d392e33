package app

import (
	"net"

	"golang.org/x/sys/unix"
)

// backlog returns how many connections wait to be accepted, 0 where that
// cannot be told. For a listening socket the kernel says so in tcpi_unacked.
func backlog(l *net.TCPListener) (waiting uint32) {
	raw, err := l.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // fails only on a closed socket
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			waiting = info.Unacked
		}
	})
	return waiting
}
