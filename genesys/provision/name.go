package provision

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// prefix begins the names of all that is ours.
const prefix = "Hookgate"

var suffix = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)

// Name returns the name of a set of things in Genesys Cloud: Hookgate, or
// Hookgate and a word of one's own. The prefix keeps what is not ours out of
// reach.
func Name(own string) (string, error) {
	switch {
	case own == "":
		return prefix, nil
	case !suffix.MatchString(own) || strings.TrimSpace(own) != own:
		return "", fmt.Errorf("%q cannot name a set: use 1 to 64 of letters, digits, space, dot, underscore and hyphen, and begin with a letter or a digit", own)
	}
	return prefix + " " + own, nil
}

// ours reports whether a name is one that Name returns.
func ours(name string) bool {
	own, ok := strings.CutPrefix(name, prefix)
	return ok && (own == "" || strings.HasPrefix(own, " "))
}

var actionName = regexp.MustCompile(`^[^\x00-\x1f]{1,256}$`)

func checkAction(name string) error {
	if !actionName.MatchString(name) {
		return errors.New("the name of a data action has 1 to 256 characters")
	}
	return nil
}
