package app

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/plugins/redis"
)

// check holds the settings against what can be said of them without what the
// placeholders stand for. It never quotes a URL.
func (s *RedisStore) check() error {
	literal, err := checkSecrets("redis", s.URLs, s.Password)
	if err != nil || !literal {
		return err
	}
	_, err = s.endpoints(s.URLs)
	return err
}

// resolve reads the URLs, the user and the password as they are now.
func (s *RedisStore) resolve() (redis.Endpoints, redis.Credentials, error) {
	urls, err := resolveURLs("redis", s.URLs)
	if err != nil {
		return redis.Endpoints{}, redis.Credentials{}, err
	}
	ends, err := s.endpoints(urls)
	if err != nil {
		return ends, redis.Credentials{}, err
	}
	creds := ends.Credentials
	repl := caddy.NewReplacer()
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
