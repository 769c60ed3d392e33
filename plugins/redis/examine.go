package redis

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/doctor"
)

// Examine looks at the servers as a Store would use them, and changes nothing:
// what it tries, it tries on keys that are not there. kinds are what the keys
// begin with that will be used, behind the prefix, such as "inbox:"; none stands
// for those of hooks. The options' Timeout bounds each question.
func Examine(ctx context.Context, opts Options, kinds ...string) []doctor.Finding {
	opts, err := opts.withDefaults()
	if err != nil {
		n := doctor.Notes{}
		n.Fail("redis.reach", err.Error(), "correct the settings of the store")
		return n.List
	}
	if kinds == nil {
		kinds = []string{"hookgate:", "park:"}
	}
	x := &examiner{opts: opts, kinds: kinds}
	client := opts.client()
	defer client.Close()
	cluster, ok := client.(*goredis.ClusterClient)
	if !ok {
		return x.server(ctx, opts.Addrs[0], client)
	}
	var (
		mu  sync.Mutex
		all []doctor.Finding
	)
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		found := x.server(ctx, node.Options().Addr, node)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = errors.New("the cluster has no masters")
	}
	if err != nil {
		n := doctor.Notes{About: opts.Addrs[0]}
		x.unreachable(&n, err)
		all = append(all, n.List...)
	}
	return all
}

// ExamineOffline says what shows without asking the servers.
func ExamineOffline(opts Options) (all []doctor.Finding) {
	for _, addr := range opts.Addrs {
		n := doctor.Notes{About: addr}
		channel(&n, opts)
		all = append(all, n.List...)
	}
	return all
}

// channel notes whether somebody between could read and change what is said.
func channel(n *doctor.Notes, opts Options) {
	switch {
	case opts.TLS != nil:
		n.OK("redis.tls", "TLS")
	case doctor.IsLoopback(n.About):
		n.OK("redis.tls", "no TLS, on this machine")
	default:
		n.Warn("redis.tls", "no TLS: the password goes over the network in clear", "write rediss://, unless nobody else is in that network")
	}
}

// examiner looks at one server after the other.
type examiner struct {
	opts  Options
	kinds []string
}

// server is what is to be looked at of one.
func (x *examiner) server(ctx context.Context, addr string, c goredis.UniversalClient) []doctor.Finding {
	n := &doctor.Notes{About: addr}
	in, before, after, err := x.ask(ctx, c)
	if err != nil {
		x.unreachable(n, err)
		return n.List
	}
	n.OK("redis.reach", "it answers within "+after.Sub(before).Round(100*time.Microsecond).String())
	if x.opts.Credentials == nil && !doctor.IsLoopback(addr) {
		n.Warn("redis.auth", "no user and no password are sent", "give it the user of deploy/redis/users.acl: who reaches it may change what was seen before")
	} else {
		n.OK("redis.auth", "it lets us in")
	}
	version(n, in)
	role(n, in)
	policy(n, in)
	evicted(n, in)
	persistence(n, in)
	memory(n, in)
	x.rights(ctx, n, c)
	if at := in.number("server_time_usec"); at > 0 {
		n.Clock("redis.clock", time.UnixMicro(int64(at)), before, after)
	} else {
		n.Excuse("redis.clock", "this version does not say its time")
	}
	return n.List
}

// unreachable notes why there was no answer.
func (x *examiner) unreachable(n *doctor.Notes, err error) {
	why := failure(err)
	advice := "start it, or correct the URL of the store: what hooks do meanwhile is their on_store_failure"
	switch {
	case errors.Is(why, ErrCredentials):
		advice = "make the file or the variable with the password"
	case errors.Is(err, goredis.Nil):
		advice = "correct the name after mode sentinel in the store, or the addresses of the sentinels in its URLs"
	case strings.HasPrefix(err.Error(), noSentinel) && kindOf(err) == kindAnswer:
		advice = "give the store the user and the password that the sentinels know, which are their own: sentinel_username, sentinel_password"
	case goredis.HasErrorPrefix(err, "WRONGPASS"), goredis.HasErrorPrefix(err, "NOAUTH"):
		advice = "give the store the user and the password that the server knows"
	case goredis.HasErrorPrefix(err, "NOPERM"):
		advice = "give the user the rights of deploy/redis/users.acl"
	case doctor.TLSAdvice(err) != "":
		advice = doctor.TLSAdvice(err)
	case x.opts.TLS != nil && kindOf(err) == kindTimeout:
		// A server without TLS waits for the end of what is no line to it.
		advice = "start it, or write redis:// if it speaks no TLS on this port: it says nothing to TLS then"
	case x.opts.TLS == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		advice = "write rediss:// if it speaks TLS on this port: it hangs up without it"
	}
	n.Fail("redis.reach", why.Error(), advice)
}

// ask asks a server for all that it says of itself, and when.
func (x *examiner) ask(ctx context.Context, c goredis.UniversalClient) (in info, before, after time.Time, err error) {
	if err = c.Ping(ctx).Err(); kindOf(err) != kindAnswer && err != nil { // a user may not be allowed to
		return nil, before, after, err
	}
	before = time.Now()
	in, err = askInfo(ctx, c.Pipeline(), "server", "memory", "stats", "persistence", "replication")
	return in, before, time.Now(), err
}
