package deadletter

import (
	"strings"

	"github.com/hookgate/hookgate/hook"
)

// maxShown is how many violations a line has.
const maxShown = 3

// explain says in a line what went wrong. Violations name places of the
// contract, and never a value.
func explain(f *hook.Fault) string {
	if len(f.Violations) == 0 {
		return f.Message
	}
	return f.Message + ": " + places(f.Violations)
}

// places lists violations, such as "/callOutcome missing".
func places(list []hook.Violation) string {
	var words []string
	for i, v := range list {
		if i == maxShown {
			words = append(words, "...")
			break
		}
		words = append(words, strings.TrimSpace(v.Pointer+" "+v.Code))
	}
	return strings.Join(words, ", ")
}
