package redis

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// facts are what the servers say about themselves.
type facts struct {
	policy  string // maxmemory_policy that may evict, else that of all
	evicts  bool
	evicted uint64
	used    uint64 // bytes
	limit   uint64 // bytes, 0 for none
}

// info is the answer to INFO of one server.
type info map[string]string

// parseInfo reads lines of the form name:value
// (https://redis.io/docs/latest/commands/info/).
func parseInfo(text string) info {
	in := make(info)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			in[name] = value
		}
	}
	return in
}

func (in info) number(name string) uint64 {
	n, _ := strconv.ParseUint(in[name], 10, 64)
	return n
}

// infos asks every server that may be written to.
func (s *Store) infos(ctx context.Context) ([]info, error) {
	if s.cluster == nil {
		in, err := askInfo(ctx, s.client.Pipeline(), surveyed...)
		return []info{in}, err
	}
	var (
		mu  sync.Mutex
		all []info
	)
	err := s.cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		in, err := askInfo(ctx, node.Pipeline(), surveyed...)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, in)
		return err
	})
	if err == nil && len(all) == 0 {
		err = errors.New("the cluster has no masters")
	}
	return all, err
}

// surveyed are the sections of INFO that a Store keeps an eye on.
var surveyed = []string{"server", "memory", "stats"}

// askInfo asks for the sections one by one: Redis 6 takes one at a time.
func askInfo(ctx context.Context, p goredis.Pipeliner, sections ...string) (info, error) {
	var cmds []*goredis.StringCmd
	for _, section := range sections {
		cmds = append(cmds, p.Info(ctx, section))
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, cmd := range cmds {
		text.WriteString(cmd.Val())
	}
	return parseInfo(text.String()), nil
}
