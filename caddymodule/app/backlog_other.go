//go:build !linux

package app

import "net"

// backlog cannot be told here.
func backlog(*net.TCPListener) uint32 { return 0 }
