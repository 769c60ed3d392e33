package main

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/hookgate/hookgate/integration/servers"
)

// What was processed last may be forgotten with a master, and is processed
// again: no event is lost.
func TestAFailoverOfTheInboxCostsNoEvent(t *testing.T) {
	broker := rabbit(t)
	t.Parallel()
	master := servers.StartRedis(t)
	replica := servers.StartReplica(t, master)
	nodes := servers.StartRedisClusterWithReplicas(t)
	sentinel := []string{"--inbox-sentinel", servers.SentinelMaster}
	for _, s := range servers.StartSentinels(t, master, 1) {
		sentinel = append(sentinel, "--inbox", "redis://"+s.Addr)
	}
	var cluster []string
	for _, n := range nodes {
		cluster = append(cluster, "--inbox", "redis://"+n.Addr)
	}
	for _, c := range []struct {
		name   string
		prefix string
		inbox  []string
		nodes  []*servers.Redis
		begins func(old *servers.Redis)
	}{
		{"of sentinels", "sentinel", sentinel, []*servers.Redis{master, replica}, (*servers.Redis).Kill},
		{"of a cluster", "cluster", cluster, nodes, (*servers.Redis).Suspend},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := publisher(t, broker, c.prefix)
			d := newDownstream()
			down := httptest.NewServer(d)
			t.Cleanup(down.Close)
			args := append([]string{"--queue", broker.URL(), "--forward", down.URL, "--prefix", c.prefix}, short...)
			process(t, "quick", append(args, c.inbox...)...)
			publishAll(t, q, "before", 200)
			eventually(t, "some have come", func() bool { return d.got() > 50 })
			var replicas []*servers.Redis
			for _, n := range c.nodes {
				if n.Role() == "slave" {
					replicas = append(replicas, n)
				}
			}
			c.begins(c.nodes[slices.IndexFunc(c.nodes, isMaster)])
			publishAll(t, q, "after", 2000)
			eventually(t, "another is the master", func() bool { return slices.ContainsFunc(replicas, isMaster) })
			eventually(t, "all have come", func() bool { return d.got() == 2200 })
			eventually(t, "nothing is left", func() bool { return waiting(t, broker, c.prefix) == 0 })
			if n := dead(t, q); n != 0 {
				t.Errorf("%d dead letters", n)
			}
			t.Logf("%d came again", d.again())
		})
	}
}

func isMaster(n *servers.Redis) bool { return n.Role() == "master" }
