package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var errNoLength = errors.New("an answer without Content-Length")

// readAnswer reads one answer and returns its status. It knows as much of
// HTTP/1.1 as the servers here make use of: net/http's client costs more than
// some of what is measured.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	// "HTTP/1.1 202 Accepted"
	if len(line) < len("HTTP/1.1 202") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not an answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, fmt.Errorf("content length: %w", err)
			}
		}
	}
	if length < 0 {
		return 0, errNoLength
	}
	_, err = r.Discard(length)
	return status, err
}
