// Package live keeps the IP ranges of Genesys Cloud up to date: fetched once for
// all nodes that share a storage, checked, and there again after a restart.
//
// What is known stays known. A list that is empty, that cannot be read or that
// has shrunk to less than a half is not taken; the last good one stays, for as
// long as it takes.
package live
