package outage

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookgate/hookgate/integration/edge"
	"github.com/hookgate/hookgate/integration/servers"
)

// several is a running program with several servers of Redis.
type several struct {
	*rig
	nodes     []*servers.Redis
	sentinels []*servers.Redis // none for a cluster
}

// newSeveral starts the program on its servers.
func newSeveral(t *testing.T, nodes, sentinels []*servers.Redis) *several {
	t.Helper()
	s := &several{rig: &rig{prefix: newPrefix()}, nodes: nodes, sentinels: sentinels}
	config := setup{rabbit: broker.Addr, prefix: s.prefix, hooks: "genesys_webhook", redisMode: "cluster"}
	known := nodes
	if len(sentinels) > 0 {
		config.redisMode, known = "sentinel "+servers.SentinelMaster, sentinels
	}
	for _, n := range known {
		config.redis += n.Addr + " "
	}
	s.Edge = start(t, config)
	l := startLoad(t, s.Edge, hookPath, "warm")
	edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 100 })
	l.settle()
	s.check(t, l)
	s.goroutines, s.opened = s.countGoroutines(t), s.countFiles(t)
	return s
}

// whole waits until all servers are there, each master has so many replicas that
// follow it, and all sentinels name the one master.
func (s *several) whole(t *testing.T) {
	t.Helper()
	edge.Eventually(t, time.Minute, "all servers are there", func() bool {
		masters := s.masters()
		for _, n := range s.nodes {
			info, _ := n.Try("info", "replication")
			text := fmt.Sprint(info)
			if !strings.Contains(text, "master_link_status:up") && !strings.Contains(text, fmt.Sprint("connected_slaves:", len(s.nodes)/len(masters)-1)) {
				return false
			}
		}
		for _, sentinel := range s.sentinels {
			if len(masters) != 1 || named(sentinel) != masters[0].Addr || !sees(sentinel) {
				return false
			}
		}
		return len(s.sentinels) > 0 || len(masters) == 3 && s.agree()
	})
}

// masters returns the servers that take claims.
func (s *several) masters() (all []*servers.Redis) {
	for _, n := range s.nodes {
		if n.Role() == "master" {
			all = append(all, n)
		}
	}
	return all
}

// agree reports whether all nodes of a cluster say that all is well.
func (s *several) agree() bool {
	return !slices.ContainsFunc(s.nodes, func(n *servers.Redis) bool {
		info, err := n.Try("cluster", "info")
		nodes, _ := n.Try("cluster", "nodes")
		return err != nil || !strings.Contains(fmt.Sprint(info), "cluster_state:ok") || strings.Contains(fmt.Sprint(nodes), "fail")
	})
}

// named returns the address that a sentinel has for the master.
func named(sentinel *servers.Redis) string {
	answer, _ := sentinel.Try("sentinel", "get-master-addr-by-name", servers.SentinelMaster)
	if words, _ := answer.([]any); len(words) == 2 {
		return net.JoinHostPort(fmt.Sprint(words[0]), fmt.Sprint(words[1]))
	}
	return ""
}

// sees reports whether a sentinel has no server and no sentinel for gone.
func sees(sentinel *servers.Redis) bool {
	for _, of := range []string{"replicas", "sentinels"} {
		answer, err := sentinel.Try("sentinel", of, servers.SentinelMaster)
		if text := fmt.Sprint(answer); err != nil || strings.Contains(text, "s_down") || strings.Contains(text, "disconnected") {
			return false
		}
	}
	return true
}

// asked returns the sentinel that the program asks, which is the one that tells
// it of a new master.
func (s *several) asked(t *testing.T) *servers.Redis {
	t.Helper()
	i := slices.IndexFunc(s.sentinels, func(sentinel *servers.Redis) bool {
		list, _ := sentinel.Try("client", "list", "type", "pubsub")
		return strings.Contains(fmt.Sprint(list), "sub=2")
	})
	if i < 0 {
		t.Fatal("no sentinel is asked")
	}
	return s.sentinels[i]
}

// rested checks that nothing is left behind.
func (s *several) rested(t *testing.T) {
	t.Helper()
	const some = 20
	var goroutines, files int
	ok := edge.Within(30*time.Second, func() bool {
		goroutines, files = s.countGoroutines(t), s.countFiles(t)
		return goroutines <= s.goroutines+some && files <= s.opened+some
	})
	text := fmt.Sprintf("%d goroutines after %d, %d files after %d", goroutines, s.goroutines, files, s.opened)
	t.Log(text)
	if !ok {
		profile, _ := s.AdminRead("/debug/pprof/goroutine?debug=1")
		t.Errorf("left behind: %s\n%s", text, edge.Tail(profile, 8000))
	}
	if a := get(t, s.Edge, "/readyz"); a.status != 200 {
		t.Errorf("it is not ready: %s", a.raw)
	}
}

// change is another master, under load.
type change struct {
	name string

	// begin has it come about: old is the master that will be none any more.
	begin func(t *testing.T, old *servers.Redis)

	// end brings back what begin took away. Default: nothing.
	end func(old *servers.Redis)
}

// live goes through a change under load.
func (s *several) live(t *testing.T, c change) {
	s.whole(t)
	before := s.masters()
	old := before[0]
	l := startLoad(t, s.Edge, hookPath, t.Name())
	edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 50 })
	begin := time.Now()
	c.begin(t, old)
	edge.Eventually(t, time.Minute, "another is the master", func() bool {
		return slices.ContainsFunc(s.nodes, func(n *servers.Redis) bool { return !slices.Contains(before, n) && n.Role() == "master" })
	})
	t.Logf("another is the master after %s", time.Since(begin).Round(10*time.Millisecond))
	l.serves(10 * time.Second)
	if c.end != nil {
		c.end(old)
	}
	edge.Eventually(t, time.Minute, "the old one is a replica", func() bool { return old.Role() == "slave" })
	l.serves(10 * time.Second)
	l.settle()
	s.check(t, l)
	s.rested(t)
}

func TestAFailoverOfSentinelsLosesNothing(t *testing.T) {
	flags := []string{"--aclfile", redisUsers(t), "--appendonly", "yes"}
	master := servers.StartRedis(t, flags...)
	nodes := []*servers.Redis{master, servers.StartReplica(t, master, flags...), servers.StartReplica(t, master, flags...)}
	s := newSeveral(t, nodes, servers.StartSentinels(t, master, 2))
	var asked *servers.Redis
	for _, c := range []change{
		{
			name:  "it is planned",
			begin: func(*testing.T, *servers.Redis) { s.sentinels[0].Do("sentinel", "failover", servers.SentinelMaster) },
		}, {
			name: "the machine of the master and of the sentinel that is asked stands still",
			begin: func(t *testing.T, old *servers.Redis) {
				asked = s.asked(t)
				asked.Suspend()
				old.Suspend()
			},
			end: func(old *servers.Redis) {
				old.Resume()
				asked.Resume()
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) { s.live(t, c) })
	}
}

func TestAFailoverOfAClusterLosesNothing(t *testing.T) {
	s := newSeveral(t, servers.StartRedisClusterWithReplicas(t, "--aclfile", redisUsers(t), "--appendonly", "yes"), nil)
	for _, c := range []change{
		{
			name:  "a master is killed",
			begin: func(_ *testing.T, old *servers.Redis) { old.Kill() },
			end:   (*servers.Redis).Restart,
		}, {
			name:  "a master stands still",
			begin: func(_ *testing.T, old *servers.Redis) { old.Suspend() },
			end:   (*servers.Redis).Resume,
		}, {
			name:  "it is planned",
			begin: func(t *testing.T, old *servers.Redis) { s.replicaOf(t, old).Do("cluster", "failover") },
		},
	} {
		t.Run(c.name, func(t *testing.T) { s.live(t, c) })
	}
	t.Run("slots move", s.reshard)
}

// replicaOf returns the replica of a master in a cluster.
func (s *several) replicaOf(t *testing.T, master *servers.Redis) *servers.Redis {
	t.Helper()
	_, port, _ := net.SplitHostPort(master.Addr)
	i := slices.IndexFunc(s.nodes, func(n *servers.Redis) bool {
		info, _ := n.Try("info", "replication")
		return strings.Contains(fmt.Sprint(info), "master_port:"+port)
	})
	if i < 0 {
		t.Fatal("no replica")
	}
	return s.nodes[i]
}

// reshard moves slots, with the keys in them, from one master to another.
func (s *several) reshard(t *testing.T) {
	s.whole(t)
	masters := s.masters()
	l := startLoad(t, s.Edge, hookPath, t.Name())
	edge.Eventually(t, time.Minute, "the day begins well", func() bool { return l.seen("accepted") > 500 })
	out, err := servers.Command(t.Context(), "redis-cli", "--cluster", "reshard", masters[0].Addr,
		"--cluster-from", fmt.Sprint(masters[0].Do("cluster", "myid")), "--cluster-to", fmt.Sprint(masters[1].Do("cluster", "myid")),
		"--cluster-slots", "1000", "--cluster-yes").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, edge.Tail(string(out), 2000))
	}
	l.serves(10 * time.Second)
	l.settle()
	if good, bad := l.seen("accepted"), l.troubled(); bad > good/10 { // on a busy machine
		t.Errorf("%d of %d answers were bad", bad, good+bad)
	}
	s.check(t, l)
	s.rested(t)
}
