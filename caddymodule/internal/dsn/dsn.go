// Package dsn reads how to connect to PostgreSQL from a config.
package dsn

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
)

// passwords finds those in a DSN whose placeholders were taken out: that of a
// URL's user, and those that are named.
var passwords = []*regexp.Regexp{
	regexp.MustCompile(`^[^/]*//[^/?#]*?:(.*)@`),
	regexp.MustCompile(`(?i)password\s*=\s*('[^']*'|[^\s&]*)`),
}

// Check looks for a password that stands in the config itself, and for what is no
// DSN as far as that can be told without what its placeholders stand for. It never
// quotes what it finds.
func Check(dsn string) error {
	const hole = "\x00"
	if strings.TrimSpace(dsn) == "" {
		return errors.New("postgres: a DSN is needed, such as postgres://user@host/database")
	}
	bare := placeholder.Replace(dsn, hole)
	for _, re := range passwords {
		for _, m := range re.FindAllStringSubmatch(bare, -1) {
			if m[1] != "" && !strings.Contains(m[1], hole) {
				return errors.New("postgres: a password does not stand here itself: write {env.NAME} or {file./path}")
			}
		}
	}
	if isURL := strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://"); isURL || strings.Contains(dsn, "{") {
		return nil
	}
	if word, _, isWords := strings.Cut(dsn, "="); !isWords || strings.Contains(word, "/") {
		return errors.New("postgres: this is no DSN: it begins with postgres://, or is words such as host=db user=hookgate")
	}
	return nil
}

// Reader returns the DSN as it is whenever it is asked for.
func Reader(dsn string) func() (string, error) {
	return func() (string, error) {
		s, err := placeholder.Resolve(dsn)
		if err != nil {
			return "", fmt.Errorf("postgres: %w", err)
		}
		return s, nil
	}
}
