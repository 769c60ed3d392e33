package app

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/plugins/redis"
)

var (
	// redisPlaceholder is one that may hold a secret.
	redisPlaceholder = regexp.MustCompile(`\{(env|file)\.[^{}]*\}`)

	// redisSecret is a text with at least one, and no other braces.
	redisSecret = regexp.MustCompile(`^([^{}]*[^{}\\])?(\{(env|file)\.[^{}]*[^{}\\]\}([^{}]*[^{}\\])?)+$`)

	// redisPassword finds the password in a URL whose placeholders were taken
	// out: they may hold slashes.
	redisPassword = regexp.MustCompile(`^[^/]*//[^/]*?:([^/]*)@`)
)

var errRedisPassword = errors.New("redis: a password does not stand here itself: write {env.NAME} or {file./path}")

// check holds the settings against what can be said of them without what the
// placeholders stand for. It never quotes a URL.
func (s *RedisStore) check() error {
	if len(s.URLs) == 0 {
		return errors.New("redis: a URL is missing")
	}
	if s.Password != "" && !redisSecret.MatchString(s.Password) {
		return errRedisPassword
	}
	for _, u := range s.URLs {
		const placeholder = "\x00"
		bare := redisPlaceholder.ReplaceAllLiteralString(u, placeholder)
		if m := redisPassword.FindStringSubmatch(bare); m != nil && m[1] != "" && !strings.Contains(m[1], placeholder) {
			return errRedisPassword
		}
	}
	if redisPlaceholder.MatchString(strings.Join(s.URLs, "")) {
		return nil
	}
	_, err := s.endpoints(s.URLs)
	return err
}

// resolve reads the URLs, the user and the password as they are now.
func (s *RedisStore) resolve() (redis.Endpoints, redis.Credentials, error) {
	repl := caddy.NewReplacer()
	urls := make([]string, len(s.URLs))
	for i, u := range s.URLs {
		var err error
		if urls[i], err = repl.ReplaceOrErr(u, true, true); err != nil {
			return redis.Endpoints{}, redis.Credentials{}, fmt.Errorf("redis: URL %d: %w", i+1, err)
		}
	}
	ends, err := s.endpoints(urls)
	if err != nil {
		return ends, redis.Credentials{}, err
	}
	creds := ends.Credentials
	if s.Username != "" {
		if creds.Username, err = repl.ReplaceOrErr(s.Username, true, true); err != nil {
			return ends, creds, fmt.Errorf("redis: username: %w", err)
		}
	}
	if s.Password != "" {
		if creds.Password, err = repl.ReplaceOrErr(s.Password, true, true); err != nil {
			return ends, creds, fmt.Errorf("redis: password: %w", err)
		}
	}
	return ends, creds, nil
}

// endpoints parses URLs without placeholders.
func (s *RedisStore) endpoints(urls []string) (redis.Endpoints, error) {
	ends, err := redis.ParseURLs(urls...)
	switch {
	case err != nil:
		return ends, err
	case s.Username != "" && ends.Credentials.Username != "":
		return ends, errors.New("redis: the user stands in the URL and in username")
	case s.Password != "" && ends.Credentials.Password != "":
		return ends, errors.New("redis: the password stands in the URL and in password")
	}
	return ends, nil
}
