package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/plugins/redis"
)

// check holds the settings against what can be said of them without what the
// placeholders stand for. It never quotes a URL.
func (s *RedisStore) check() error {
	literal, err := checkSecrets("redis", s.URLs, s.Password, s.SentinelPassword)
	if err != nil || !literal {
		return err
	}
	_, err = s.endpoints(s.URLs)
	return err
}

// checkMode holds the URLs against the mode, where they have no placeholders.
func (s *RedisStore) checkMode() error {
	if placeholder.In(strings.Join(s.URLs, "")) {
		return nil
	}
	ends, err := s.endpoints(s.URLs)
	if err != nil {
		return err
	}
	return redis.Options{Mode: redis.Mode(s.Mode), Addrs: ends.Addrs, DB: ends.DB, Master: s.Master}.Check()
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
	if s.Username != "" {
		if creds.Username, err = placeholder.Resolve(s.Username); err != nil {
			return ends, creds, fmt.Errorf("redis: username: %w", err)
		}
	}
	if s.Password != "" {
		if creds.Password, err = placeholder.Resolve(s.Password); err != nil {
			return ends, creds, fmt.Errorf("redis: password: %w", err)
		}
	}
	return ends, creds, nil
}

// checkSentinels is the part of check that needs all the settings.
func (s *RedisStore) checkSentinels() error {
	switch {
	case s.SentinelUsername == "" && s.SentinelPassword == "":
		return nil
	case s.Mode != string(redis.ModeSentinel):
		return errors.New("redis: sentinel_username and sentinel_password are for the mode sentinel")
	case s.SentinelPassword == "":
		return errors.New("redis: sentinel_username needs a sentinel_password")
	}
	return nil
}

// sentinelCredentials reads the user and the password for the sentinels as they
// are now.
func (s *RedisStore) sentinelCredentials(context.Context) (c redis.Credentials, err error) {
	if c.Username, err = placeholder.Resolve(s.SentinelUsername); err != nil {
		return c, fmt.Errorf("redis: sentinel_username: %w", err)
	}
	if c.Password, err = placeholder.Resolve(s.SentinelPassword); err != nil {
		return c, fmt.Errorf("redis: sentinel_password: %w", err)
	}
	return c, nil
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
