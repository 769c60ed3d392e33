// Package hook holds the words of Hookgate: events and claims, the store that
// keeps claims, the queue that keeps events, and the codes of its answers.
//
// It depends on the standard library only. Drivers implement its interfaces
// (plugins/), the accepting core works on them (accept), and the Caddy modules
// translate between them and HTTP (caddymodule).
package hook
