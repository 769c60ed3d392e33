package servers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Cluster is several brokers that replicate their quorum queues. A node that
// does not see more than half of them pauses.
type Cluster struct {
	Nodes []*RabbitMQ

	log  *os.File
	epmd *process
}

// NewCluster starts a cluster with its data in dir. It takes about 20 seconds on
// two cores. Close stops it.
func NewCluster(dir string, nodes int) (*Cluster, error) {
	var last error
	for attempt := range attempts {
		c, err := newCluster(filepath.Join(dir, fmt.Sprint(attempt)), nodes)
		if !errors.Is(err, errPortTaken) {
			return c, err
		}
		last = err
	}
	return nil, last
}

func newCluster(dir string, nodes int) (_ *Cluster, err error) {
	ports, err := freePorts(1 + 2*nodes)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Nodes that start at once would make a cookie each.
	if err := os.WriteFile(filepath.Join(dir, ".erlang.cookie"), []byte(rand.Text()), 0o400); err != nil {
		return nil, err
	}
	c := new(Cluster)
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.log, err = os.Create(filepath.Join(dir, "epmd.log")); err != nil {
		return nil, err
	}
	epmd, ports := ports[0], ports[1:]
	if c.epmd, err = startMapper(epmd, c.log); err != nil {
		return nil, err
	}
	settings := "cluster_partition_handling = pause_minority\n"
	for n := range nodes {
		home := filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(home, 0o700); err != nil {
			return nil, err
		}
		r, err := prepareRabbitMQ(home, dir, ports[2*n], ports[2*n+1], epmd, settings)
		if err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, r)
		if n == 0 { // the others join the first
			settings += "cluster_formation.peer_discovery_backend = classic_config\n" +
				"cluster_formation.classic_config.nodes.1 = " + r.name + "\n"
		}
	}
	if err := c.Nodes[0].Start(); err != nil {
		return nil, err
	}
	return c, c.Start(c.Nodes[1:]...)
}

// Start starts nodes that were killed, at once: one that was not the last to
// go waits for one that knows more.
func (c *Cluster) Start(nodes ...*RabbitMQ) error {
	ended := make(chan error, len(nodes))
	for _, r := range nodes {
		go func() { ended <- r.Start() }()
	}
	var all []error
	for range nodes {
		all = append(all, <-ended)
	}
	return errors.Join(all...)
}

// Leader returns the node with the leader of a quorum queue in the virtual host
// /, as a node says that is up, and the other ones.
func (c *Cluster) Leader(t testing.TB, up *RabbitMQ, queue string) (leader *RabbitMQ, others []*RabbitMQ) {
	t.Helper()
	name := strings.TrimSpace(c.column(t, up, "leader")[queue])
	for _, r := range c.Nodes {
		if r.name == name {
			leader = r
		} else {
			others = append(others, r)
		}
	}
	if leader == nil {
		t.Fatalf("the leader of %s is %q", queue, name)
	}
	return leader, others
}

// Members returns how many nodes have a replica of each queue in the virtual
// host /.
func (c *Cluster) Members(t testing.TB, up *RabbitMQ) map[string]int {
	t.Helper()
	members := make(map[string]int)
	for queue, nodes := range c.column(t, up, "members") {
		members[queue] = strings.Count(nodes, "@")
	}
	return members
}

// column returns what a node says of each queue.
func (c *Cluster) column(t testing.TB, up *RabbitMQ, name string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for line := range strings.Lines(up.Ctl(t, "--no-table-headers", "list_queues", "name", name)) {
		if queue, value, ok := strings.Cut(line, "\t"); ok {
			all[queue] = value
		}
	}
	return all
}

// Close stops all nodes for good.
func (c *Cluster) Close() {
	for _, r := range c.Nodes {
		r.Close()
	}
	if c.epmd != nil {
		c.epmd.kill()
	}
	if c.log != nil {
		_ = c.log.Close()
	}
}
