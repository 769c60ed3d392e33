package servers

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// StartRedisCluster starts three masters that share all slots.
func StartRedisCluster(tb testing.TB, args ...string) []*Redis {
	tb.Helper()
	return startRedisCluster(tb, 0, args)
}

// StartRedisClusterWithReplicas starts three masters that share all slots, and a
// replica for each of them, in an order in which nobody may trust: Role tells
// which is which. A replica takes the place of its master some 3 s after that is
// gone.
func StartRedisClusterWithReplicas(tb testing.TB, args ...string) []*Redis {
	tb.Helper()
	return startRedisCluster(tb, 1, args)
}

func startRedisCluster(tb testing.TB, replicas int, args []string) []*Redis {
	tb.Helper()
	var nodes []*Redis
	create := []string{"--cluster", "create"}
	for range 3 * (1 + replicas) {
		n := startRedis(tb, func(port string) []string {
			// The port between the nodes is 10000 above the other where it is not set.
			return append(append(
				common(tb, port),
				"--cluster-enabled", "yes", "--cluster-port", FreePort(tb), "--cluster-node-timeout", "2000",
				"--repl-diskless-sync-delay", "0",
			), args...)
		})
		nodes = append(nodes, n)
		create = append(create, n.Addr)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	create = append(create, "--cluster-replicas", strconv.Itoa(replicas), "--cluster-yes")
	out, err := Command(ctx, "redis-cli", create...).CombinedOutput()
	if err != nil {
		tb.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, n := range nodes {
		poll(tb, "the cluster is there", func() bool {
			answer, err := n.Try("cluster", "info")
			text, _ := answer.(string)
			return err == nil && strings.Contains(text, "cluster_state:ok") && (n.Role() == "master" || n.follows())
		})
	}
	poll(tb, "each node knows who is a replica", func() bool {
		for _, n := range nodes {
			answer, err := n.Try("cluster", "nodes")
			text, _ := answer.(string)
			if err != nil || strings.Count(text, "slave") != 3*replicas {
				return false
			}
		}
		return true
	})
	return nodes
}

// Role returns "master" or "slave", or nothing for a server that does not say.
func (r *Redis) Role() string {
	answer, _ := r.Try("role")
	if words, _ := answer.([]any); len(words) > 0 {
		role, _ := words[0].(string)
		return role
	}
	return ""
}

// follows reports whether a replica has the data of its master.
func (r *Redis) follows() bool {
	answer, _ := r.Try("info", "replication")
	text, _ := answer.(string)
	return strings.Contains(text, "master_link_status:up")
}

// StartReplica starts a server that follows another, and waits until it has
// its data.
func StartReplica(tb testing.TB, master *Redis, args ...string) *Redis {
	tb.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	r := StartRedis(tb, append([]string{"--replicaof", host + " " + port, "--repl-diskless-sync-delay", "0"}, args...)...)
	poll(tb, "the replica follows", r.follows)
	return r
}

// SentinelMaster is the name under which sentinels watch their master.
const SentinelMaster = "hookgate"

// StartSentinel starts one sentinel that watches a master, and decides alone.
// Its Addr is that of the sentinel.
func StartSentinel(tb testing.TB, master *Redis) *Redis {
	tb.Helper()
	return startSentinel(tb, master, 1)
}

// StartSentinels starts three sentinels, of which two decide, and waits until
// each knows the others, and so many replicas.
func StartSentinels(tb testing.TB, master *Redis, replicas int) []*Redis {
	tb.Helper()
	var all []*Redis
	for range 3 {
		all = append(all, startSentinel(tb, master, 2))
	}
	for _, s := range all {
		poll(tb, "each sentinel knows the others", func() bool {
			others, _ := s.Do("sentinel", "sentinels", SentinelMaster).([]any)
			known, _ := s.Do("sentinel", "replicas", SentinelMaster).([]any)
			return len(others) == 2 && len(known) == replicas
		})
	}
	return all
}

func startSentinel(tb testing.TB, master *Redis, quorum int) *Redis {
	tb.Helper()
	host, masterPort, _ := net.SplitHostPort(master.Addr)
	return startRedis(tb, func(port string) []string {
		conf := filepath.Join(tb.TempDir(), "sentinel.conf")
		content := "port " + port + "\nbind 127.0.0.1\ndir " + filepath.Dir(conf) + "\n" +
			"sentinel monitor " + SentinelMaster + " " + host + " " + masterPort + " " + strconv.Itoa(quorum) + "\n" +
			"sentinel down-after-milliseconds " + SentinelMaster + " 500\n" +
			"sentinel failover-timeout " + SentinelMaster + " 5000\n"
		if err := os.WriteFile(conf, []byte(content), 0o600); err != nil { // the sentinel writes to it
			tb.Fatal(err)
		}
		return []string{conf, "--sentinel"}
	})
}
