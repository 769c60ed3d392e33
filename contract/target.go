package contract

// target is what a reader looks for at a place.
type target struct {
	kind targetKind
	id   int // which part of the event ID
}

type targetKind uint8

const (
	targetID targetKind = iota
	targetVolatile
	targetTimestamp
)

// node is a place in the tree of the pointers that a reader looks for. A walk
// goes down in it as it goes down in the body, so that it needs to build no
// pointers.
type node struct {
	children map[string]*node
	targets  []target
}

func (n *node) add(p pointer, t target) {
	for _, name := range p {
		child := n.children[name]
		if child == nil {
			if n.children == nil {
				n.children = make(map[string]*node)
			}
			child = new(node)
			n.children[name] = child
		}
		n = child
	}
	n.targets = append(n.targets, t)
}
