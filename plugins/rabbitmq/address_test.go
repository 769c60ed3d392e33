package rabbitmq

import (
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestAnErrorForThePublicNamesNoAddress(t *testing.T) {
	for text, want := range map[string]string{
		"dial tcp 10.1.2.3:5672: connect: connection refused":                              "dial: connect: connection refused",
		"dial tcp [fd00::1]:5672: i/o timeout":                                             "dial: i/o timeout",
		"dial tcp: lookup rabbit-1 on 10.1.0.1:53: no such host":                           "dial: no such host",
		"dial tcp: lookup rabbit-1: no such host":                                          "dial: no such host",
		"no handshake: read tcp 10.1.2.3:4->10.1.2.3:5: connection reset":                  "no handshake: read: connection reset",
		"set tcp 10.1.2.3:4: use of closed network connection":                             "set: use of closed network connection",
		(&amqp.Error{Code: 501, Reason: "read tcp 10.1.2.3:4->10.1.2.3:5: reset"}).Error(): `Exception (501) Reason: "read: reset"`,
		(&amqp.Error{Code: 403, Reason: "username or password not allowed"}).Error():       `Exception (403) Reason: "username or password not allowed"`,
		"the password cannot be read":                                                      "the password cannot be read",
	} {
		inner := errors.New(text)
		err := &addressless{inner}
		if err.Error() != want {
			t.Errorf("%s: got %q, want %q", text, err, want)
		}
		if strings.Contains(err.Error(), "10.1") || !errors.Is(err, inner) {
			t.Errorf("got %q", err)
		}
	}
}
