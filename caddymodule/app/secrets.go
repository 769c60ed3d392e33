package app

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
)

var (
	// secret is a text with at least one, and no other braces.
	secret = regexp.MustCompile(`^([^{}]*[^{}\\])?(\{(env|file)\.[^{}]*[^{}\\]\}([^{}]*[^{}\\])?)+$`)

	// passwordInURL finds the password in a URL whose placeholders were taken
	// out: they may hold slashes.
	passwordInURL = regexp.MustCompile(`^[^/]*//[^/]*?:([^/]*)@`)
)

// checkSecrets looks for a password that stands in the config itself, in a URL
// or as one of the passwords, and never quotes what it finds. literal reports whether the URLs have no placeholders.
func checkSecrets(driver string, urls []string, passwords ...string) (literal bool, err error) {
	if len(urls) == 0 {
		return false, fmt.Errorf("%s: a URL is missing", driver)
	}
	inClear := errors.New(driver + ": a password does not stand here itself: write {env.NAME} or {file./path}")
	for _, p := range passwords {
		if p != "" && !secret.MatchString(p) {
			return false, inClear
		}
	}
	for _, u := range urls {
		const hole = "\x00"
		bare := placeholder.Replace(u, hole)
		if m := passwordInURL.FindStringSubmatch(bare); m != nil && m[1] != "" && !strings.Contains(m[1], hole) {
			return false, inClear
		}
	}
	return !placeholder.In(strings.Join(urls, "")), nil
}

// resolveURLs returns the URLs with what their placeholders stand for now.
func resolveURLs(driver string, urls []string) ([]string, error) {
	resolved := make([]string, len(urls))
	for i, u := range urls {
		var err error
		if resolved[i], err = placeholder.Resolve(u); err != nil {
			return nil, fmt.Errorf("%s: URL %d: %w", driver, i+1, err)
		}
	}
	return resolved, nil
}
