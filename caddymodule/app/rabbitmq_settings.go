package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// check holds the settings against what can be said of them without what the
// placeholders stand for. It never quotes a URL.
func (s *RabbitMQQueue) check() error {
	if s.Prefix != "" && !strings.Contains(s.Prefix, "{") {
		if err := rabbitmq.CheckPrefix(s.Prefix); err != nil {
			return err
		}
	}
	literal, err := checkSecrets("rabbitmq", s.URLs, s.Password)
	if err != nil || !literal {
		return err
	}
	_, err = s.endpoints(s.URLs)
	return err
}

// resolve reads the URLs, the user and the password as they are now.
func (s *RabbitMQQueue) resolve() (rabbitmq.Endpoints, rabbitmq.Credentials, error) {
	urls, err := resolveURLs("rabbitmq", s.URLs)
	if err != nil {
		return rabbitmq.Endpoints{}, rabbitmq.Credentials{}, err
	}
	ends, err := s.endpoints(urls)
	if err != nil {
		return ends, rabbitmq.Credentials{}, err
	}
	creds := ends.Credentials
	if s.Username != "" {
		if creds.Username, err = placeholder.Resolve(s.Username); err != nil {
			return ends, creds, fmt.Errorf("rabbitmq: username: %w", err)
		}
	}
	if s.Password != "" {
		if creds.Password, err = placeholder.Resolve(s.Password); err != nil {
			return ends, creds, fmt.Errorf("rabbitmq: password: %w", err)
		}
	}
	if creds == (rabbitmq.Credentials{}) {
		creds.Password = "guest"
	}
	if creds.Username == "" {
		creds.Username = "guest"
	}
	return ends, creds, nil
}

// endpoints parses URLs without placeholders.
func (s *RabbitMQQueue) endpoints(urls []string) (rabbitmq.Endpoints, error) {
	ends, err := rabbitmq.ParseURLs(urls...)
	switch {
	case err != nil:
		return ends, err
	case s.Username != "" && ends.Credentials.Username != "":
		return ends, errors.New("rabbitmq: the user stands in the URL and in username")
	case s.Password != "" && ends.Credentials.Password != "":
		return ends, errors.New("rabbitmq: the password stands in the URL and in password")
	}
	return ends, nil
}
