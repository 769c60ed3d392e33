package simulate

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// tokenPattern is a field name, RFC 9110, section 5.1.
var tokenPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// ParseHeader reads one header field in the form "NAME: VALUE". Its errors
// never hold the value, which may be a secret.
func ParseHeader(s string) (name, value string, err error) {
	name, value, found := strings.Cut(s, ":")
	name, value = strings.TrimSpace(name), strings.Trim(value, " \t")
	switch {
	case !found:
		return "", "", invalid(`a header field must have the form "NAME: VALUE"`)
	case !tokenPattern.MatchString(name):
		return "", "", invalid("the part before the colon is not the name of a header field")
	}
	return name, value, nil
}

// checkHeader refuses what the transport would refuse at every single request,
// and the fields by which a message is framed: those are this package's.
func (o *Options) checkHeader() error {
	framing := []string{"Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
	for name, values := range o.Header {
		if !tokenPattern.MatchString(name) {
			return invalid("a header field has a name that cannot be sent")
		}
		if slices.Contains(framing, http.CanonicalHeaderKey(name)) {
			return invalid("the header field %s cannot be given", http.CanonicalHeaderKey(name))
		}
		if slices.ContainsFunc(values, unsendable) {
			return invalid("the header field %s has a value that cannot be sent", http.CanonicalHeaderKey(name))
		}
	}
	return nil
}

// unsendable reports whether a field value has control characters, RFC 9110,
// section 5.5.
func unsendable(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
