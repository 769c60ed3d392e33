// Package genesystest is a Genesys Cloud to test against: the part of its
// Platform API that Hookgate uses, over real HTTP, in the shapes that Genesys
// documents. It also misbehaves when it is told to.
//
// It is for tests alone. Nothing that is built imports it.
package genesystest
