package failfast

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	// burst is how many seconds' worth of refusals an address may have at once.
	burst = 10

	shards        = 64
	shardCapacity = 256 // addresses; with all of them some 1 MB a hook

	// candidates are how many addresses are looked at to make room for one.
	candidates = 8
)

// refusals counts the refused requests of each address, an IPv6 address by its
// /64, in token buckets. It remembers so many addresses and no more: to make
// room, the one that has been quiet the longest of a few is forgotten, which
// lets its sender off, and never refuses anything.
type refusals struct {
	interval int64 // of one refusal, in nanoseconds
	epoch    time.Time
	seed     maphash.Seed
	shards   [shards]refusalShard
}

type refusalShard struct {
	mu sync.Mutex

	// full has, by address, when its bucket is full again, in nanoseconds since
	// epoch: all that a bucket is.
	full map[[16]byte]int64
}

// newRefusals makes the buckets for so many refusals a second and address.
func newRefusals(perSecond int, now time.Time) *refusals {
	return &refusals{interval: int64(time.Second) / int64(perSecond), epoch: now, seed: maphash.MakeSeed()}
}

// take takes a refusal out of an address's bucket. Where there is none left it
// returns false, and when there will be one. A sender without an address has no
// bucket.
func (rs *refusals) take(addr netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	if !addr.IsValid() {
		return 0, true
	}
	key := bucketOf(addr)
	shard := &rs.shards[maphash.Comparable(rs.seed, key)%shards]
	at := int64(now.Sub(rs.epoch))

	shard.mu.Lock()
	defer shard.mu.Unlock()
	full, known := shard.full[key]
	next := max(full, at) + rs.interval
	if over := next - at - burst*int64(time.Second); over > 0 {
		return time.Duration(over), false
	}
	if !known {
		shard.makeRoom(at)
	}
	shard.full[key] = next
	return 0, true
}

// makeRoom forgets an address where there are too many.
func (s *refusalShard) makeRoom(now int64) {
	if s.full == nil {
		s.full = make(map[[16]byte]int64)
	}
	if len(s.full) < shardCapacity {
		return
	}
	var quietest [16]byte
	least, seen := int64(0), 0
	for key, full := range s.full { // in no order
		if seen == 0 || full < least {
			quietest, least = key, full
		}
		if seen++; seen == candidates || least <= now { // one that is full says nothing
			break
		}
	}
	delete(s.full, quietest)
}

// bucketOf returns the key of an address, which is unmapped: that of an IPv6
// address has no interface identifier, of which a sender has as many as it
// likes.
func bucketOf(addr netip.Addr) [16]byte {
	key := addr.As16()
	if addr.Is6() {
		clear(key[8:])
	}
	return key
}
