package redis

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// oldServer answers as Redis 5 does what a store asks for, as far as the tests
// need it: it knows no HELLO, no SET with GET, and says nothing of itself.
func oldServer(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &old{values: make(map[string]string), conns: make(map[net.Conn]bool)}
	o.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns[c] = true
			o.mu.Unlock()
			o.all.Go(func() { o.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		o.mu.Lock()
		for c := range o.conns {
			_ = c.Close()
		}
		o.mu.Unlock()
		o.all.Wait()
	})
	return l.Addr().String()
}

type old struct {
	mu     sync.Mutex
	values map[string]string
	conns  map[net.Conn]bool
	all    sync.WaitGroup
}

func (o *old) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, o.answer(args)); err != nil {
			return
		}
	}
}

func (o *old) answer(args []string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch strings.ToLower(args[0]) {
	case "set":
		if slices.Contains(args, "get") {
			return "-ERR syntax error\r\n"
		}
		if _, taken := o.values[args[1]]; taken && slices.Contains(args, "nx") {
			return "$-1\r\n"
		}
		o.values[args[1]] = args[2]
		return "+OK\r\n"
	case "get":
		v, ok := o.values[args[1]]
		if !ok {
			return "$-1\r\n"
		}
		return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v)
	case "info":
		return "-NOPERM this user has no permissions to run the 'info' command\r\n"
	}
	return "-ERR unknown command `" + args[0] + "`, with args beginning with: `secret`, \r\n"
}

// readCommand reads an array of bulk strings
// (https://redis.io/docs/latest/develop/reference/protocol-spec/).
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		buf := make([]byte, size+2)
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, err
		}
		args[i] = string(buf[:size])
	}
	return args, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil || line[0] != kind {
		return 0, fmt.Errorf("not a %q: %w", kind, io.ErrUnexpectedEOF)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
