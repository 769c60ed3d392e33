package contract

import (
	"fmt"
	"strings"
)

// pointer is a JSON Pointer (RFC 6901) through objects: the names on the way.
type pointer []string

// parsePointer reads a pointer strictly: it begins with a slash, and a tilde
// stands only in ~0 and ~1.
func parsePointer(s string) (pointer, error) {
	if !strings.HasPrefix(s, "/") || len(s) < 2 {
		return nil, fmt.Errorf("%q is not a JSON pointer such as /webhookEventId", s)
	}
	var p pointer
	for _, name := range strings.Split(s[1:], "/") {
		for i := range len(name) {
			if name[i] == '~' && (i+1 == len(name) || name[i+1] != '0' && name[i+1] != '1') {
				return nil, fmt.Errorf("%q is not a JSON pointer: a tilde stands for itself only as ~0", s)
			}
		}
		p = append(p, strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~"))
	}
	return p, nil
}

// escape writes a name as part of a pointer.
func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// node is a place in the tree of pointers that a reader looks for.
type node struct {
	children map[string]*node
	targets  []int // what ends here
}

func (n *node) add(p pointer, target int) {
	for _, name := range p {
		if n.children == nil {
			n.children = make(map[string]*node)
		}
		child := n.children[name]
		if child == nil {
			child = new(node)
			n.children[name] = child
		}
		n = child
	}
	n.targets = append(n.targets, target)
}
