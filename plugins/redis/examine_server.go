package redis

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/hookgate/hookgate/doctor"
)

func version(n *doctor.Notes, in info) {
	v := in["redis_version"]
	major, _, _ := strings.Cut(v, ".")
	status := doctor.OK
	if m, err := strconv.Atoi(major); err != nil || m < 6 {
		status = doctor.Fail
	}
	n.Grade("redis.version", status, "version "+v, "use Redis 6 or newer, or Valkey")
}

func role(n *doctor.Notes, in info) {
	status := doctor.OK
	if in["role"] != "master" {
		status = doctor.Fail
	}
	n.Grade("redis.role", status, "it is a "+in["role"], "write the URL of the master, or use the mode sentinel or cluster: a replica takes no claims")
}

func policy(n *doctor.Notes, in info) {
	status := doctor.OK
	if in["maxmemory_policy"] != "noeviction" {
		status = doctor.Fail
	}
	n.Grade("redis.policy", status, "maxmemory-policy "+in["maxmemory_policy"],
		"set maxmemory-policy noeviction: an ID that is evicted makes a duplicate a new event")
}

func evicted(n *doctor.Notes, in info) {
	count := in.number("evicted_keys")
	status := doctor.OK
	if count > 0 {
		status = doctor.Warn
	}
	n.Grade("redis.evicted", status, fmt.Sprintf("%d keys were evicted since it started", count),
		"give it more memory and the policy noeviction: they may have been IDs")
}

func persistence(n *doctor.Notes, in info) {
	const check = "redis.persistence"
	switch {
	case in["loading"] == "1":
		n.Warn(check, "it still loads its data", "wait until it has")
	case in["aof_last_write_status"] == "err":
		n.Fail(check, "the last write to its append-only file failed", "make room on its disk: it refuses claims until then")
	case in["rdb_last_bgsave_status"] == "err":
		n.Warn(check, "its last snapshot failed", "look into its log: with stop-writes-on-bgsave-error it refuses claims")
	case in["aof_enabled"] != "1":
		n.Warn(check, "appendonly is off", "set appendonly yes: a restart forgets which events were there, and lets their copies through")
	default:
		n.OK(check, "appendonly is on, and the last write went well")
	}
}

// memory notes how much room there is. When it is full, claims fail.
func memory(n *doctor.Notes, in info) {
	const check = "redis.memory"
	used, limit := in.number("used_memory"), in.number("maxmemory")
	if limit == 0 {
		n.Warn(check, fmt.Sprintf("%s are used, without a bound", humanize.IBytes(used)),
			"set maxmemory to twice of what you expect: without it the kernel ends the server when memory is short")
		return
	}
	status := doctor.OK
	switch {
	case used >= limit/100*95:
		status = doctor.Fail
	case used >= limit/100*80:
		status = doctor.Warn
	}
	n.Grade(check, status, fmt.Sprintf("%s of %s are used", humanize.IBytes(used), humanize.IBytes(limit)),
		"raise maxmemory, or shorten ttl: when it is full, claims fail")
}
