package request

import (
	"fmt"
	"regexp"
	"strings"
)

// fieldName is a token, RFC 9110, sections 5.1 and 5.6.2.
var fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// CheckFieldName says why a header field of that name never arrives, for the
// options that name one: a hook that waits for it would refuse every event.
func CheckFieldName(name string) error {
	switch {
	case !fieldName.MatchString(name):
		return fmt.Errorf("%q is no name of a header field", name)
	case strings.ContainsAny(name, "_."):
		// To a CGI they are one with the hyphen, so a sender could pass off
		// one field as another.
		return fmt.Errorf("%q: Caddy and other proxies drop header fields with an underscore or a dot in their names", name)
	}
	return nil
}
