// Package placeholder resolves the placeholders of a config, and says of those
// that stand for nothing what to do.
package placeholder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// secret is a placeholder of the two kinds that may hold a secret.
var secret = regexp.MustCompile(`\{(env|file)\.([^{}]*)\}`)

// In reports whether a text has a placeholder that may hold a secret.
func In(text string) bool { return secret.MatchString(text) }

// Replace puts a text in the place of each placeholder that may hold a secret.
func Replace(text, with string) string { return secret.ReplaceAllLiteralString(text, with) }

// Resolve returns a text with what its placeholders stand for now. That one of
// them is unknown, or stands for nothing, is an error. It names the placeholder,
// and never quotes what another one stands for.
func Resolve(text string) (string, error) {
	s, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err == nil {
		return s, nil
	}
	for _, m := range secret.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(err.Error(), m[0]) {
			continue // another one is meant
		}
		why := emptyFile
		if m[1] == "env" {
			why = emptyEnv
		}
		return "", fmt.Errorf("%s %w", m[0], why(m[2]))
	}
	return "", err
}

// emptyEnv says why a variable of the environment stands for nothing.
func emptyEnv(name string) error {
	if _, set := os.LookupEnv(name); !set {
		return fmt.Errorf("is not set: this process needs %s in its environment", name)
	}
	return fmt.Errorf("is empty: this process needs a value of %s in its environment", name)
}

// emptyFile says why a file stands for nothing.
func emptyFile(name string) error {
	info, err := os.Stat(name)
	if err == nil && info.Mode().IsRegular() { // another kind may wait for who writes
		var f *os.File
		if f, err = os.Open(name); err == nil {
			f.Close()
		}
	}
	var because *fs.PathError
	switch {
	case errors.As(err, &because):
		return fmt.Errorf("cannot be read: %w: the file must be there, and this process's user be allowed to read it", because.Err)
	case err == nil && info.IsDir():
		return errors.New("is a folder: it must be a file")
	}
	return errors.New("is empty: the file must hold the value")
}
