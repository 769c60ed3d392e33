// Package embedded keeps claims, accepted events and dead letters in one file
// on this node, a bbolt database (https://github.com/etcd-io/bbolt), so that
// Hookgate runs with nothing else installed.
//
// One goroutine writes. It takes the operations that wait, up to 512, and
// commits them in one transaction which is on disk (fsync) before any of them
// is answered. An event and the committed key of its claim are in the same
// transaction. Where many call, it gives those whom it has just answered at most
// 4 ms, and not longer than the transaction took, to come back before it begins
// the next one, so that all are in the same transaction; a lone caller never
// waits for others.
//
// # States of an event
//
// An event is ready; in work from when it was taken for somebody who asks until
// he says what became of it; due, when it is to be tried again at a later time;
// and in the end removed, or dead. It keeps its place among those that are ready
// until then: the oldest is handed out first, however often it was tried. Each
// change is one transaction.
//
// That an event is in work is known in memory only, because one process at a
// time has the file: when it is gone, however it ended, nobody works on
// anything. The file has how often an event was handed out without being
// settled, written before it is handed out. After a crash it is ready again as
// soon as the file is open, and counts one redelivery. After 20 of them it
// becomes a dead letter of the kind poison.
//
// # The file
//
// It has these buckets, all numbers in them big-endian:
//
//	meta    "format" -> version (1 byte); "counts" -> ready and in work, dead, keys
//	        (8 bytes each); "due" -> due (8 bytes); "fresh" -> see below
//	keys    hash of a claim's key (16 bytes) -> state, expiry, fingerprint, token
//	fresh, fresh2  sequence (8 bytes) -> hash, state, expiry, fingerprint of a
//	        committed key that is not in keys yet
//	expiry  expiry in Unix milliseconds (8 bytes), hash (16 bytes) -> nothing
//	ready   sequence (8 bytes) -> the envelope of an event that is ready or in work
//	handed  sequence (8 bytes) -> how often it was handed out and not settled
//	        (4 bytes); nothing for never
//	due     sequence (8 bytes) -> the envelope of an event that is tried again later
//	due_at  Unix milliseconds (8 bytes), sequence (8 bytes) -> how long it was put
//	        off, in milliseconds (8 bytes); nothing in older files
//	dead    sequence (8 bytes) -> the envelope of a dead letter
//
// New committed keys are in the buckets fresh and fresh2, in turns, until there
// are 16,384 of them; then they move to keys, in the order of their hashes, so
// that many share a page. "fresh" in meta has the bucket that is added to (0 or 1)
// and the hash of the last one that has moved. While there are such keys, the
// version is 2, else it is 1: all of them move when the file is closed.
//
// The buckets fresh, fresh2, handed, due and due_at are made when they are needed. Sequences
// ascend and are never used again; those of dead letters are their own. The file
// does not shrink; free pages in it are used again.
package embedded
