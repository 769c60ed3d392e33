package redis

import (
	"context"
	"slices"

	goredis "github.com/redis/go-redis/v9"
)

// attempt is one operation of a caller, or of a batch of them. All of its
// commands may be repeated: they carry the token.
type attempt struct {
	store   *Store
	ctx     context.Context
	retried bool
}

// send sends commands in one round trip. Those whose connection broke are sent
// once more, if the attempt has not done so before: a connection that was idle
// may be gone. What timed out or was answered is never sent again here.
func (a *attempt) send(cmds []goredis.Cmder) {
	a.once(cmds)
	// A client of a cluster has tried again by itself.
	if a.retried || a.store.cluster != nil {
		return
	}
	var broken []goredis.Cmder
	for _, cmd := range cmds {
		if kindOf(cmd.Err()) == kindConnection {
			broken = append(broken, cmd)
		}
	}
	if len(broken) == 0 || a.ctx.Err() != nil {
		return
	}
	a.retried = true
	a.store.counts.retries.Add(1)
	for _, cmd := range broken {
		cmd.SetErr(nil)
	}
	a.once(broken)
}

func (a *attempt) once(cmds []goredis.Cmder) {
	p := a.store.client.Pipeline()
	_ = p.BatchProcess(a.ctx, cmds...) // only queues them
	_, err := p.Exec(a.ctx)
	if err == nil {
		return
	}
	a.store.lookForMasters(cmds, err)
	if slices.ContainsFunc(cmds, func(cmd goredis.Cmder) bool { return cmd.Err() != nil }) {
		return // each has its own
	}
	// Where a new connection is refused, as for a wrong password, go-redis
	// leaves commands that were never sent as if they had succeeded
	// (v9.23.0, pipelineErrShouldStamp).
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}

// lookForMasters has the client of a cluster ask which nodes are the masters now,
// where one gave no answer: a replica may have taken its place, and the client
// itself asks once a minute, and where a node says that a slot is elsewhere. It
// waits for nothing, and asks five times a second at most.
func (s *Store) lookForMasters(cmds []goredis.Cmder, err error) {
	if s.cluster == nil {
		return
	}
	silent := func(err error) bool { k := kindOf(err); return k == kindConnection || k == kindTimeout }
	if silent(err) || slices.ContainsFunc(cmds, func(cmd goredis.Cmder) bool { return silent(cmd.Err()) }) {
		s.cluster.ReloadState(context.Background())
	}
}
