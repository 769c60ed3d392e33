// Package redis keeps claims in Redis 6 or newer, or in Valkey: in one server,
// in a cluster, or in servers that Sentinel watches over.
//
// Each claim is one key with a value that redis-cli shows as it is:
//
//	p:<token>:<fingerprint>   pending, with the lease as its time to live
//	c:<fingerprint>           committed
//
// Token and fingerprint are in unpadded base64url (RFC 4648, section 5). Every
// command is about one key, so that it does not matter how a cluster spreads
// them.
//
// Claims that wait at the same time go to the server in one pipeline, and each
// caller waits at most Options.Timeout, whatever the server does. A claim is
// one command, SET NX GET, where the server knows it (Redis 7.0,
// https://redis.io/docs/latest/commands/set/), else SET NX and then GET.
//
// Redis is a memory of what was accepted and not the only guard: a failover
// may lose keys that were acknowledged, and a server that may evict loses them
// when its memory is full. Both make copies and lose no event. The store warns
// of the second.
//
// The package sets go-redis' logger, which is one for the whole program, to
// one that drops what it gets: the same errors are returned.
package redis
