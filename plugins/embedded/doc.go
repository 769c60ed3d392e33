// Package embedded keeps claims, accepted events and dead letters in one file
// on this node, a bbolt database (https://github.com/etcd-io/bbolt), so that
// Hookgate runs with nothing else installed.
//
// One goroutine writes. It takes the operations that wait, up to 512, and
// commits them in one transaction which is on disk (fsync) before any of them
// is answered. An event and the committed key of its claim are in the same
// transaction.
//
// The file has these buckets, all numbers in them big-endian:
//
//	meta    "format" -> version (1 byte); "counts" -> ready, dead, keys (8 bytes each)
//	keys    hash of a claim's key (16 bytes) -> state, expiry, fingerprint, token
//	expiry  expiry in Unix milliseconds (8 bytes), hash (16 bytes) -> nothing
//	ready   sequence (8 bytes) -> the envelope of an event to be processed
//	dead    sequence (8 bytes) -> the envelope of a dead letter
//
// Sequences ascend and are never used again. The file does not shrink; free
// pages in it are used again.
package embedded
