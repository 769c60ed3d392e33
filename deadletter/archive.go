package deadletter

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Archive is a file with letters as JSON lines. It has personal data, and is
// readable to its owner only.
type Archive struct {
	file  *os.File
	buf   *bufio.Writer
	lines *Lines
	wrote bool
}

// CreateArchive makes a file, which must not be there before.
func CreateArchive(path string) (*Archive, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("the file %s is there already: name another", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the file for the letters: %w", err)
	}
	buf := bufio.NewWriterSize(f, 1<<16)
	return &Archive{file: f, buf: buf, lines: NewLines(buf)}, nil
}

// Write adds a letter.
func (a *Archive) Write(r *Record) error {
	a.wrote = true
	return a.lines.Write(r)
}

// Close returns nil when all letters are on disk. A file without any is
// removed.
func (a *Archive) Close() error {
	err := errors.Join(a.buf.Flush(), a.file.Sync(), a.file.Close())
	if !a.wrote {
		return errors.Join(err, os.Remove(a.file.Name()))
	}
	if err == nil {
		err = syncFolder(filepath.Dir(a.file.Name()))
	}
	if err != nil {
		err = fmt.Errorf("the file for the letters: %w", err)
	}
	return err
}

// syncFolder makes the name of a new file durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lines writes values as JSON, one a line.
type Lines struct{ enc *json.Encoder }

// NewLines returns Lines that writes to w.
func NewLines(w io.Writer) *Lines {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &Lines{enc}
}

// Write writes a value.
func (l *Lines) Write(v any) error { return l.enc.Encode(v) }
