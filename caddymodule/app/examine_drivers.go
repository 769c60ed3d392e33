package app

import (
	"context"
	"time"

	"github.com/hookgate/hookgate/doctor"
	"github.com/hookgate/hookgate/plugins/embedded"
	"github.com/hookgate/hookgate/plugins/postgres"
	"github.com/hookgate/hookgate/plugins/rabbitmq"
	"github.com/hookgate/hookgate/plugins/redis"
)

// Examine implements Examiner.
func (*EmbeddedStore) Examine(_ context.Context, _ Examination, use Use) []doctor.Finding {
	return doctor.Folder{Path: use.Env.DataDir, File: EmbeddedFile}.Check()
}

// Examine implements Examiner.
func (q *EmbeddedQueue) Examine(_ context.Context, _ Examination, use Use) []doctor.Finding {
	need := q.MaxSize
	if need == 0 {
		need = embedded.DefaultMaxSize
	}
	return doctor.Folder{Path: use.Env.DataDir, File: EmbeddedFile, Need: need}.Check()
}

// Examine implements Examiner.
func (s *RedisStore) Examine(ctx context.Context, x Examination, use Use) []doctor.Finding {
	all := s.examine(ctx, x, use)
	if fallback, ok := s.fallback.(Examiner); ok {
		all = append(all, fallback.Examine(ctx, x, use)...)
	}
	return all
}

func (s *RedisStore) examine(ctx context.Context, x Examination, use Use) []doctor.Finding {
	all := redis.ExamineOffline(s.opts)
	if x.Offline {
		return append(all, offline("redis.reach", s.opts.Addrs...)...)
	}
	opts := s.opts
	opts.Timeout = x.Timeout
	kinds := []string{}
	if use.Claims {
		kinds = append(kinds, "hookgate:", "park:")
	}
	if use.Inbox {
		kinds = append(kinds, "inbox:")
	}
	ctx, cancel := context.WithTimeout(ctx, questions*x.Timeout)
	defer cancel()
	return append(all, redis.Examine(ctx, opts, kinds...)...)
}

// Examine implements Examiner.
func (s *PostgresStore) Examine(ctx context.Context, x Examination, _ Use) []doctor.Finding {
	all := postgres.ExamineOffline(s.opts.DSN)
	if x.Offline {
		return append(all, offline("postgres.reach", all[0].About)...)
	}
	return append(all, postgres.ExamineStore(ctx, s.opts, x.Timeout)...)
}

// Examine implements Examiner.
func (s *RabbitMQQueue) Examine(ctx context.Context, x Examination, use Use) []doctor.Finding {
	all := s.Spool.examine(use.Env)
	all = append(all, rabbitmq.ExamineOffline(s.opts)...)
	if x.Offline {
		var addrs []string
		for _, server := range s.opts.Servers {
			addrs = append(addrs, server.Addr)
		}
		return append(all, offline("rabbitmq.reach", addrs...)...)
	}
	opts := rabbitmq.ExamineOptions{Consumes: use.Consumed, Compare: x.Operator}
	opts.Options, opts.Queues, opts.Celery = s.opts, x.Queues, x.Celery
	opts.Role = "doctor"
	if opts.Retry = use.Retry; !use.Consumed {
		opts.Retry = []time.Duration{} // another process may have others
	}
	ctx, cancel := context.WithTimeout(ctx, questions*x.Timeout)
	defer cancel()
	return append(all, rabbitmq.Examine(ctx, opts)...)
}

// examine looks at where events are kept that the queue cannot take.
func (s *Spool) examine(env Env) []doctor.Finding {
	n := doctor.Notes{About: "queue"}
	if s == nil {
		n.Warn("queue.spool", "there is no spool: while RabbitMQ is down, events are answered 503", "add spool to the queue: Genesys Cloud never sends a data action again, and Open Messaging gives up after 85 s")
		return n.List
	}
	n.OK("queue.spool", "what RabbitMQ cannot take is kept on this machine")
	need := s.MaxSize
	if need == 0 {
		need = embedded.DefaultMaxSize
	}
	return append(n.List, doctor.Folder{Path: env.DataDir, File: EmbeddedFile, Need: need}.Check()...)
}

// questions is how many times the time for one question a driver has in all.
const questions = 4

// offline says of servers that they were not asked.
func offline(check string, addrs ...string) (all []doctor.Finding) {
	for _, addr := range addrs {
		n := doctor.Notes{About: addr}
		n.Excuse(check, "not asked: --offline")
		all = append(all, n.List...)
	}
	return all
}

// Interface guards
var (
	_ Examiner = (*EmbeddedStore)(nil)
	_ Examiner = (*EmbeddedQueue)(nil)
	_ Examiner = (*RedisStore)(nil)
	_ Examiner = (*PostgresStore)(nil)
	_ Examiner = (*RabbitMQQueue)(nil)
)
