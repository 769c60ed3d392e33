package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/hook"
	"github.com/hookgate/hookgate/integration/servers"
)

func TestACluster(t *testing.T) {
	nodes := servers.StartRedisCluster(t)
	for _, n := range nodes {
		grant(t, n)
	}
	cluster := func(o *Options) { o.Mode = ModeCluster; o.Addrs = []string{nodes[0].Addr, nodes[1].Addr} }
	paths(t, func(t *testing.T, change ...func(*Options)) {
		s := open(t, "", append(change, cluster)...)
		const keys = 200
		var (
			all sync.WaitGroup
			cs  []hook.Claim
		)
		for i := range keys {
			c := claimOn(fmt.Sprint(t.Name(), i), 1, byte(i))
			cs = append(cs, c)
			all.Go(func() {
				if state, fp, err := s.Claim(t.Context(), c); state != hook.Ours || fp != c.Fingerprint || err != nil {
					t.Error(state, fp, err)
				}
			})
		}
		all.Wait()
		for _, c := range cs[:20] {
			other := c
			other.Token = hook.Token{2}
			mustClaim(t, s, other, hook.Pending, c.Fingerprint[0])
			if held, err := s.Renew(t.Context(), c); !held || err != nil {
				t.Error(held, err)
			}
			if err := s.Release(t.Context(), c); err != nil {
				t.Error(err)
			}
			mustClaim(t, s, other, hook.Ours, c.Fingerprint[0])
		}
		if err := s.Commit(t.Context(), cs...); err != nil {
			t.Error(err)
		}
		for _, c := range cs {
			c.Token = hook.Token{3}
			mustClaim(t, s, c, hook.Committed, c.Fingerprint[0])
		}
		eventually(t, "the nodes said who they are", func() bool { return s.Stats().Version != "" })
	})

	t.Run("a slot moves", func(t *testing.T) {
		s := open(t, "", cluster)
		c := claimOn("moves", 1, 1)
		mustClaim(t, s, c, hook.Ours, 1)
		slot := nodes[0].Do("cluster", "keyslot", c.Key)
		var from, to *servers.Redis
		for _, n := range nodes {
			if found, err := n.Try("exists", c.Key); err == nil && found == int64(1) {
				from = n
			} else {
				to = n
			}
		}
		fromID, toID := from.Do("cluster", "myid"), to.Do("cluster", "myid")
		to.Do("cluster", "setslot", slot, "importing", fromID)
		from.Do("cluster", "setslot", slot, "migrating", toID)
		// Until the slot has moved, keys that are not here are asked for there.
		from.Do("del", c.Key)
		mustClaim(t, s, c, hook.Ours, 1)
		to.Do("cluster", "setslot", slot, "node", toID)
		from.Do("cluster", "setslot", slot, "node", toID)
		d := c
		d.Token = hook.Token{2}
		mustClaim(t, s, d, hook.Pending, 1)
		if held, err := s.Renew(t.Context(), c); !held || err != nil {
			t.Error(held, err)
		}
	})

	t.Run("a node is suspended", func(t *testing.T) {
		s := open(t, "", cluster)
		// A key on each of two nodes.
		var here, there hook.Claim
		for i := range 100 {
			c := claimOn(fmt.Sprint("node", i), 1, 1)
			mustClaim(t, s, c, hook.Ours, 1)
			if found, err := nodes[2].Try("exists", c.Key); err == nil && found == int64(1) {
				there = c
			} else {
				here = c
			}
		}
		nodes[2].Suspend()
		worst := slowest(4, func() {
			if _, _, err := s.Claim(context.Background(), there); !errors.Is(err, ErrTimeout) {
				t.Error(err)
			}
		}, atMost(8))
		if worst > patience {
			t.Errorf("a claim took %s", worst)
		}
		mustClaim(t, s, here, hook.Ours, 1)
		nodes[2].Resume()
		eventually(t, "it is used again", func() bool {
			_, _, err := s.Claim(t.Context(), there)
			return err == nil
		})
	})
}

// A master that is gone answers nobody that its slots are elsewhere now.
func TestTheReplicaThatTakesThePlaceOfAMasterIsUsed(t *testing.T) {
	nodes := servers.StartRedisClusterWithReplicas(t)
	for _, n := range nodes {
		grant(t, n)
	}
	opts := Options{Mode: ModeCluster, Credentials: credentials, PoolSize: patientPool}
	for _, n := range nodes {
		opts.Addrs = append(opts.Addrs, n.Addr)
	}
	s, err := New(opts) // which asks the nodes about themselves as seldom as it does
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	eventually(t, "the store is ready", func() bool { return s.Ready() == nil })
	masters := func() (n int) {
		for _, node := range nodes {
			if node.Role() == "master" {
				n++
			}
		}
		return n
	}
	lost := nodes[slices.IndexFunc(nodes, func(n *servers.Redis) bool { return n.Role() == "master" })]
	var keys []string // of the master that will be lost
	for i := 0; len(keys) < 10; i++ {
		c := claimOn(fmt.Sprint("k", i), 1, 1)
		mustClaim(t, s, c, hook.Ours, 1)
		if found, err := lost.Try("exists", c.Key); err == nil && found == int64(1) {
			keys = append(keys, fmt.Sprint("k", i))
		}
	}
	lost.Kill()
	eventually(t, "a replica is the master", func() bool { return masters() == 3 })
	begin := time.Now()
	for _, k := range keys {
		eventually(t, "an event is claimed", func() bool {
			_, _, err := s.Claim(t.Context(), claimOn(k, 2, 1))
			return err == nil
		})
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// atMost returns a function that is true from the nth call on.
func atMost(n int) func() bool {
	var mu sync.Mutex
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		n--
		return n < 0
	}
}

func TestSentinelNamesTheMaster(t *testing.T) {
	master := server(t)
	replica := servers.StartReplica(t, master)
	grant(t, replica)
	sentinel := servers.StartSentinel(t, master)
	s := open(t, sentinel.Addr, func(o *Options) { o.Mode = ModeSentinel; o.Master = servers.SentinelMaster })
	c := claimOn("k", 1, 1)
	mustClaim(t, s, c, hook.Ours, 1)
	if held, err := s.Renew(t.Context(), c); !held || err != nil {
		t.Error(held, err)
	}
	eventually(t, "the sentinel knows the replica", func() bool {
		known, _ := sentinel.Do("sentinel", "replicas", servers.SentinelMaster).([]any)
		return len(known) == 1
	})
	eventually(t, "the replica has the claim", func() bool { return replica.Do("exists", c.Key) == int64(1) })
	master.Kill()
	if _, _, err := s.Claim(t.Context(), claimOn("in between", 1, 1)); err == nil {
		t.Error("claimed without a master")
	}
	begin := time.Now()
	eventually(t, "the replica is used", func() bool {
		_, _, err := s.Claim(t.Context(), claimOn("after", 1, 1))
		return err == nil
	})
	t.Logf("after %s", time.Since(begin))
	eventually(t, "it is ready", func() bool { return s.Ready() == nil })
	if err := s.Commit(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestSentinelsHaveAPasswordOfTheirOwn(t *testing.T) {
	master := server(t)
	sentinel := servers.StartSentinel(t, master)
	const dead = "127.0.0.1:1"
	sentinel.Do("acl", "setuser", "edge", "on", ">of-edge", "allchannels", "+@all")
	sentinel.Do("acl", "setuser", "default", "resetpass", ">of-default")
	var current atomic.Pointer[Credentials]
	begin := func(t *testing.T, change ...func(*Options)) *Store {
		return begin(t, sentinel.Addr, append(change, func(o *Options) {
			o.Mode, o.Master, o.Addrs = ModeSentinel, servers.SentinelMaster, []string{dead, sentinel.Addr}
			o.PoolSize = patientPool
			o.SentinelCredentials = func(context.Context) (Credentials, error) {
				if c := current.Load(); c != nil {
					return *c, nil
				}
				return Credentials{}, errors.New("no such file")
			}
		})...)
	}
	for name, c := range map[string]struct {
		first  *Credentials // that the sentinel refuses
		want   error
		detail string
		advice string
		then   Credentials
	}{
		"a password alone": {&Credentials{"", "hunter2"}, ErrRefused, "no sentinel names the master: WRONGPASS", "sentinel_password", Credentials{"", "of-default"}},
		"a user":           {&Credentials{"edge", "hunter2"}, ErrRefused, "no sentinel names the master: WRONGPASS", "sentinel_password", Credentials{"edge", "of-edge"}},
		"none at first":    {&Credentials{}, ErrRefused, "no sentinel names the master: NOAUTH", "sentinel_password", Credentials{"", "of-default"}},
		"unreadable":       {nil, ErrCredentials, "no such file", "the file or the variable", Credentials{"edge", "of-edge"}},
	} {
		t.Run(name, func(t *testing.T) {
			current.Store(c.first)
			log, logs := logged()
			s := begin(t, log)
			eventually(t, "it says why not", func() bool {
				err := s.Ready()
				return errors.Is(err, c.want) && strings.Contains(err.Error(), c.detail)
			})
			for _, secret := range []string{"hunter2", sentinel.Addr, dead} {
				if err := s.Ready(); err == nil || strings.Contains(err.Error(), secret) {
					t.Error(err)
				}
			}
			opts := s.opts
			opts.Timeout = 10 * time.Second
			if all := Examine(t.Context(), opts); len(all) != 1 || !strings.Contains(all[0].Advice, c.advice) {
				t.Errorf("%+v", all)
			}
			current.Store(&c.then)
			eventually(t, "the mended password is used", func() bool { return s.Ready() == nil })
			mustClaim(t, s, claimOn(name, 1, 1), hook.Ours, 1)
			for _, l := range logs.All() {
				if strings.Contains(fmt.Sprint(l.Message, l.ContextMap()), "hunter2") {
					t.Error(l)
				}
			}
		})
	}
	if log := fmt.Sprint(master.Do("acl", "log")); strings.Contains(log, "reason auth") {
		t.Error("the master was sent what is the sentinels'")
	}
}

// patientPool is a size for tests without a server: after so many failures
// go-redis dials by itself, and ends that a second after the client is closed.
const patientPool = 200

// A sentinel answers that it does not know the master just as a server does
// that a key is not there.
func TestAMasterThatNoSentinelKnowsIsNoClaim(t *testing.T) {
	for name, dead := range map[string][]string{"one sentinel": nil, "another one is down": {"127.0.0.1:1"}} {
		t.Run(name, func(t *testing.T) {
			sentinel := servers.StartSentinel(t, server(t))
			change := func(o *Options) {
				o.Mode, o.Master, o.Addrs = ModeSentinel, "another", append(dead, sentinel.Addr)
				o.PoolSize = patientPool
			}
			paths(t, func(t *testing.T, more ...func(*Options)) {
				s := begin(t, "", append(more, change)...)
				c := claimOn("k", 1, 1)
				if state, _, err := s.Claim(t.Context(), c); !errors.Is(err, ErrRefused) {
					t.Error("claim:", state, err)
				}
				if err := s.Commit(t.Context(), c); !errors.Is(err, ErrRefused) {
					t.Error("commit:", err)
				}
				if held, err := s.Renew(t.Context(), c); held || !errors.Is(err, ErrRefused) {
					t.Error("renew:", held, err)
				}
				if err := s.Release(t.Context(), c); !errors.Is(err, ErrRefused) {
					t.Error("release:", err)
				}
				if err := s.Restore(t.Context(), hook.Record{Key: c.Key, TTL: c.TTL}); !errors.Is(err, ErrRefused) {
					t.Error("restore:", err)
				}
				eventually(t, "it says why", func() bool {
					err := s.Ready()
					return err != nil && strings.HasSuffix(err.Error(), "no sentinel knows a master of this name")
				})
			})
			opts := Options{Timeout: time.Second}
			change(&opts)
			if all := Examine(t.Context(), opts); len(all) != 1 || all[0].Status != doctor.Fail || !strings.Contains(all[0].Advice, "mode sentinel") {
				t.Errorf("%+v", all)
			}
		})
	}
}
