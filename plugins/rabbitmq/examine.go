package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hookgate/hookgate/doctor"
)

// ExamineOptions say what there is to be, and who uses it.
type ExamineOptions struct {
	TopologyOptions

	// Consumes says that the events are consumed with these settings, too.
	Consumes bool

	// Compare are the credentials of a user who may configure, and so compare
	// the settings of what is there. Default: those of the Options.
	Compare func(ctx context.Context) (Credentials, error)
}

// Examine looks at every server, and at the virtual host through the first that
// answers. It makes nothing, and leaves nothing: what it publishes, to see whether
// that is allowed, is in a transaction that it rolls back.
func Examine(ctx context.Context, opts ExamineOptions) (findings []doctor.Finding) {
	q, err := opts.queue()
	if err != nil {
		n := doctor.Notes{}
		n.Fail("rabbitmq.reach", err.Error(), "correct the settings of the queue")
		return n.List
	}
	looked := false
	var all []*examiner
	for _, server := range q.opts.Servers {
		x := &examiner{opts: opts, queue: q, server: server, notes: &doctor.Notes{About: server.Addr}}
		all = append(all, x)
		c, nc, err := q.dialPatiently(ctx, server)
		if err != nil {
			x.failure = err
		} else {
			stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
			x.broker(c)
			if !looked {
				looked = true
				x.vhost(ctx, c)
			}
			if !x.blocked {
				_ = c.Close()
			}
			stop()
			_ = nc.Close()
		}
	}
	for _, x := range all {
		if x.failure != nil {
			x.unreachable(looked)
		}
		findings = append(findings, x.notes.List...)
	}
	return findings
}

// ExamineOffline says what shows without asking the servers.
func ExamineOffline(opts Options) (all []doctor.Finding) {
	for _, server := range opts.Servers {
		n := &doctor.Notes{About: server.Addr}
		channelSafety(n, opts)
		all = append(all, n.List...)
	}
	return all
}

func channelSafety(n *doctor.Notes, opts Options) {
	switch {
	case opts.TLS != nil:
		n.OK("rabbitmq.tls", "TLS")
	case doctor.IsLoopback(n.About):
		n.OK("rabbitmq.tls", "no TLS, on this machine")
	default:
		n.Warn("rabbitmq.tls", "no TLS: the password and the events go over the network in clear", "write amqps://, unless nobody else is in that network")
	}
}

// examiner looks at one server.
type examiner struct {
	opts   ExamineOptions
	queue  *Queue
	server Server
	notes  *doctor.Notes

	failure error // why there is no connection
	blocked bool  // by an alarm
}

// unreachable notes why there is no connection, and whether there is one to
// another server.
func (x *examiner) unreachable(others bool) {
	err, meanwhile := x.failure, "hooks answer 503 meanwhile"
	if others {
		meanwhile = "the others serve meanwhile, as long as they are more than half of the cluster"
	}
	advice := "start it, or correct the URL of the queue: " + meanwhile
	switch {
	case isCode(err, amqp.AccessRefused):
		advice = "give the queue the user and the password that the server knows"
	case isCode(err, amqp.NotAllowed):
		advice = "make the virtual host, and give the user rights in it: deploy/rabbitmq/definitions.json has both"
	case doctor.TLSAdvice(err) != "":
		advice = doctor.TLSAdvice(err)
	case errors.Is(err, errNoHandshake):
		advice = "see in its log whether it stands still. It looks up the name of its own host for each connection: that has to resolve there, or rabbitmqctl set_cluster_name spares it"
	}
	x.notes.Fail("rabbitmq.reach", (&addressless{err}).Error(), advice)
}

// broker notes what the server says of itself.
func (x *examiner) broker(c *amqp.Connection) {
	n := x.notes
	n.OK("rabbitmq.reach", "it lets us into the virtual host "+x.queue.opts.Vhost)
	v, _ := c.Properties["version"].(string)
	major, minor := 0, 0
	_, _ = fmt.Sscanf(v, "%d.%d", &major, &minor)
	switch {
	case major < 3 || major == 3 && minor < 10:
		n.Fail("rabbitmq.version", "version "+v, "upgrade to 4.x, by the versions that RabbitMQ's notes name: at-least-once needs 3.10")
	case major == 3:
		n.Warn("rabbitmq.version", "version "+v, "upgrade to 4.x, by the versions that RabbitMQ's notes name: 3.x gets no more fixes")
	default:
		n.OK("rabbitmq.version", "version "+v)
	}
}

// vhost looks at what is in the virtual host.
func (x *examiner) vhost(ctx context.Context, c *amqp.Connection) {
	x.entities(ctx, c)
	x.attention(c)
	x.reading(c)
	x.publishing(ctx, c) // last: a server with an alarm listens no more
}

// entities notes what is missing, or other than it is to be.
func (x *examiner) entities(ctx context.Context, c *amqp.Connection) {
	compare := c
	if x.opts.Compare != nil {
		opts := x.queue.opts
		opts.Credentials = x.opts.Compare
		other, nc, err := (&Queue{opts: opts}).dialPatiently(ctx, x.server)
		if err != nil {
			x.notes.Fail("rabbitmq.compare", (&addressless{err}).Error(), "give --amqp a user who may configure this virtual host")
			return
		}
		defer nc.Close()
		stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
		defer stop()
		defer other.Close()
		compare = other
	}
	s := &surveyor{topology: x.queue.topology, conn: compare}
	defer s.close()
	all := x.queue.entities()
	unseen := 0
	for i := range all {
		e := &all[i]
		if e.Kind == "binding" {
			continue
		}
		if err := s.verify(e); err != nil {
			x.notes.Fail("rabbitmq."+e.Kind, e.Name+": "+(&addressless{err}).Error(), "look into the server's log")
			return
		}
		if x.entity(e) {
			unseen++
		}
	}
	switch {
	case unseen == 0:
		x.notes.OK("rabbitmq.compare", "the settings of all that is there were compared")
	default:
		x.notes.Skip("rabbitmq.compare", fmt.Sprintf("this user may not compare the settings of %d entities, as it should be", unseen),
			"run this once with --amqp and a user who may configure: quorum, delivery limits, at-least-once and reject-publish show to such a one only")
	}
	x.notes.Excuse("rabbitmq.bindings", "bindings do not show over AMQP: a missing one lets /readyz and hookgate_rabbitmq_messages_total{result=\"returned\"} tell, and hookgate topology apply makes it")
}

// entity notes the state of one. It reports whether its settings could not be
// compared.
func (x *examiner) entity(e *Entity) (unseen bool) {
	n, check := x.notes, "rabbitmq."+e.Kind
	switch {
	case e.State == Missing && x.queue.opts.Topology == Declare:
		n.Warn(check, e.Name+" is missing", "it is made at the start, where the user may: else run hookgate topology apply")
	case e.State == Missing:
		n.Fail(check, e.Name+" is missing", "make it: hookgate topology apply, or import deploy/rabbitmq/definitions.json")
	case e.State == Different:
		n.Fail(check, e.Name+" has other settings: "+e.Reason, "empty and delete it, then hookgate topology apply: settings cannot be changed")
	case e.State == Unknown:
		n.Skip(check, e.Name+": "+e.Reason, "give it write on that: RabbitMQ 4.2.6 and newer let only those look who have a right; or run this with --amqp and another user")
	case e.target.foreign && e.Kind == "queue":
		n.OK(check, e.Name+" is there, and another program's")
	case e.Reason != "":
		n.OK(check, e.Name+" is there")
		return true
	default:
		n.OK(check, strings.TrimSpace(e.Name+" is "+e.Type+settings(e)))
	}
	return false
}

// settings are what matters of a queue's, as they were compared.
func settings(e *Entity) string {
	var parts []string
	for _, name := range []string{"x-delivery-limit", "x-dead-letter-strategy", "x-overflow"} {
		if v := e.Arguments[name]; v != "" {
			parts = append(parts, strings.TrimPrefix(name, "x-")+" "+v)
		}
	}
	if parts == nil {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
