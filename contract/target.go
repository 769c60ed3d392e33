package contract

// target is what a reader looks for at a place.
type target struct {
	kind targetKind
	id   int // which place of event IDs, or which timestamp
}

type targetKind uint8

const (
	targetID targetKind = iota
	targetVolatile
	targetTimestamp
)

// node is a place in the tree of what a reader looks for: the pointers of the
// manifest, and the members that the schema describes. A walk goes down in it
// as it goes down in the body, so that it needs to build no pointers.
type node struct {
	path     string // as drift names it
	children map[string]*node
	elements *node // of an array, all of them
	targets  []target

	open     bool   // any names are fine
	known    bool   // the schema lists the members
	stranger string // how another member is reported; "": not at all

	check    *quickValue // what it may be; nil: anything
	required bool
	requires int // how many of the members are required

	looks  bool // a text needs one of the next three
	number bool
	time   bool
	values map[string]bool

	slot  int // of an object that something may be put in; from 1
	fill  int // of a member that may be put in; from 1
	alias int // of a member under another name; from 1
}

// child returns the place of a member, and makes it.
func (n *node) child(name string) *node {
	child := n.children[name]
	if child == nil {
		if n.children == nil {
			n.children = make(map[string]*node)
		}
		child = &node{path: n.path + "/" + escape(name)}
		n.children[name] = child
	}
	return child
}

// element returns the place of the elements of an array, and makes it.
func (n *node) element() *node {
	if n.elements == nil {
		n.elements = &node{path: n.path + "/*"}
	}
	return n.elements
}

// at returns the place that a pointer names, and makes it.
func (n *node) at(p pointer) *node {
	for _, name := range p {
		n = n.child(name)
	}
	return n
}

// each returns the place of a pointer in which a star stands for the elements
// of an array.
func (n *node) each(p pointer) *node {
	for _, name := range p {
		if name == "*" {
			n = n.element()
		} else {
			n = n.child(name)
		}
	}
	return n
}

func (n *node) add(p pointer, t target) {
	n = n.at(p)
	n.targets = append(n.targets, t)
}

// close decides, once the tree is whole, which names are reported as unknown.
func (n *node) close() {
	if n.known && !n.open {
		n.stranger = n.path + "/*"
	}
	n.looks = n.number || n.time || n.values != nil
	for _, child := range n.children {
		child.close()
	}
	if n.elements != nil {
		n.elements.close()
	}
}
