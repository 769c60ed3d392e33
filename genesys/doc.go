// Package genesys speaks the Platform API of Genesys Cloud: the regions, a token
// for an OAuth client, and the few calls that Hookgate uses.
//
// There is no API for outbound webhooks in Genesys Cloud. What sends events is
// a data action or an Open Messaging integration; package provision makes them.
package genesys
