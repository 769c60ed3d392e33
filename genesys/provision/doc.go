// Package provision makes in Genesys Cloud what sends events to a hook: a data
// action with its integration and its secret, or an Open Messaging integration.
//
// Everything is found by its name, so that a run may be repeated: what is there
// stays or is changed, what is missing is made. A run that broke off is
// completed by the next one.
package provision
