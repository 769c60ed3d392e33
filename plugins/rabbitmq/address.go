package rabbitmq

import "regexp"

// netAddress finds the addresses that package net puts into its errors, which
// the library may have taken over as a text: "dial tcp 10.0.0.2:5672: ", and
// "lookup rabbit-1 on 10.0.0.1:53: ".
var netAddress = regexp.MustCompile(`\b(dial|read|write|set|close|lookup) (tcp[46]?: )?[^ ]+?( [^ ]+?)*?: `)

// addressless is an error without addresses in its text. It goes to /readyz,
// where those of this network are nobody's business. The log has them.
type addressless struct{ err error }

func (e *addressless) Error() string { return netAddress.ReplaceAllString(e.err.Error(), "$1: ") }
func (e *addressless) Unwrap() error { return e.err }
