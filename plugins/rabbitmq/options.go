package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Topology is who makes exchanges, queues and bindings.
type Topology string

// The topologies.
const (
	Declare Topology = "declare" // the Queue does, where it may and where they are missing
	Passive Topology = "passive" // somebody else does; they are only looked for
)

// DefaultPrefix is the name of the exchange, and what all other names begin
// with, where the options say nothing else.
const DefaultPrefix = "hookgate"

// The roles where the options name none.
const (
	roleEdge     = "edge"
	roleConsumer = "consumer"
)

// Credentials are what a connection identifies itself with.
type Credentials struct{ Username, Password string }

// Options are the settings of a Queue.
type Options struct {
	// Servers are the nodes of one cluster. Each connection goes to one of
	// them, in an order that is drawn. Required.
	Servers []Server

	// Vhost is the virtual host. Default: /.
	Vhost string

	// Credentials is asked for each new connection, so that a changed password
	// is used without a restart. Default: guest, guest, which RabbitMQ accepts
	// from its own machine only.
	Credentials func(ctx context.Context) (Credentials, error)

	// TLS is used towards all servers. Its ServerName is that of the server
	// where it is empty. Default: no TLS.
	TLS *tls.Config

	// Role is what the connections are for, in a word or two. The server's logs
	// and its management show it behind the prefix: "hookgate edge". Default:
	// edge, and consumer for a Source.
	Role string

	// Prefix is the name of the exchange for events, and the beginning of all
	// other names. Default: hookgate.
	Prefix string

	// Topology is Declare or Passive. Default: Declare.
	Topology Topology

	// Connections is how many there are. Default: 2.
	Connections int

	// Channels is how many there are on each connection. Default: 2.
	Channels int

	// Logger gets changes of the queue's state. Default: none.
	Logger *zap.Logger

	forgets time.Duration // forgetsAfter; a seam for tests
}

// Bounds that are nobody's business to set.
const (
	dialTimeout      = 2 * time.Second        // until TCP is connected
	handshakeTimeout = 5 * time.Second        // and then until AMQP is
	writeTimeout     = 300 * time.Millisecond // for each write to the socket
	heartbeat        = 3 * time.Second        // the library gives up after one and a half times that without a byte
	silence          = 4 * time.Second        // an idle server sends nothing for as long as heartbeat, and may be busy then
	minBackoff       = 100 * time.Millisecond
	maxBackoff       = 5 * time.Second
	topologyInterval = time.Second // between two looks at the topology
	stallAfter       = time.Second // without a confirm, while some are awaited
	probeInterval    = 5 * time.Second
	stuckAfter       = 12 * time.Second // and then the channel is opened anew
	forgetsAfter     = 30 * time.Second // and if only one message has no confirmation
	refusesAfter     = 5 * time.Second  // as it is when a queue has refused everything on it for so long
	maxOutstanding   = 5000             // unconfirmed messages to one queue
	laneQueue        = 512              // messages that wait for a lane's writer
	writeBatch       = 64               // messages that go to the socket at once
	laneTurn         = 32               // messages in a row that are put into the same lane
)

// prefixPattern keeps the names of what is declared below the 255 bytes of an
// AMQP short string, and free of what a permission's pattern would trip over.
var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckPrefix returns an error for what names cannot begin with.
func CheckPrefix(prefix string) error {
	if !prefixPattern.MatchString(prefix) {
		return fmt.Errorf("rabbitmq: the prefix %q is not 1 to 100 of letters, digits, dot, underscore and hyphen, the first one a letter or a digit", prefix)
	}
	return nil
}

// withDefaults checks the options and fills in what was left out.
func (o Options) withDefaults() (Options, error) {
	if len(o.Servers) == 0 {
		return o, errors.New("rabbitmq: no server")
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if err := CheckPrefix(o.Prefix); err != nil {
		return o, err
	}
	if o.Role == "" {
		o.Role = roleEdge
	}
	if o.Topology == "" {
		o.Topology = Declare
	}
	if o.Topology != Declare && o.Topology != Passive {
		return o, fmt.Errorf("rabbitmq: the topology is declare or passive, not %q", o.Topology)
	}
	if o.Connections < 0 || o.Channels < 0 {
		return o, errors.New("rabbitmq: a number is negative")
	}
	if o.Vhost == "" {
		o.Vhost = "/"
	}
	if o.Connections == 0 {
		o.Connections = 2
	}
	if o.Channels == 0 {
		o.Channels = 2
	}
	if o.Credentials == nil {
		o.Credentials = func(context.Context) (Credentials, error) { return Credentials{"guest", "guest"}, nil }
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.forgets == 0 {
		o.forgets = forgetsAfter
	}
	o.Servers = slices.Clone(o.Servers)
	return o, nil
}
