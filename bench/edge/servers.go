package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"

	"github.com/hookgate/hookgate/integration/servers"
)

// eventsQueue is where Hookgate's topology keeps accepted events.
const eventsQueue = "hookgate.events"

// settled is how long the broker may take to count what it has confirmed.
const settled = 10 * time.Second

// backends are the servers that the variant of that name needs. They run
// through all rounds and are emptied after each.
type backends struct {
	rabbit *servers.RabbitMQ
	redis  *exec.Cmd
	client *redis.Client
	url    string // of Redis
}

// startBackends starts the servers with their data in dir.
func startBackends(ctx context.Context, dir string) (_ *backends, err error) {
	b := new(backends)
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	if err := b.startRedis(ctx, filepath.Join(dir, "redis")); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	rabbit := filepath.Join(dir, "rabbitmq")
	if err := os.Mkdir(rabbit, 0o700); err != nil {
		return nil, err
	}
	if b.rabbit, err = servers.NewRabbitMQ(rabbit); err != nil {
		return nil, err
	}
	return b, nil
}

// startRedis starts a Redis that keeps nothing on disk, as the edge's claims
// do not need it.
func (b *backends) startRedis(ctx context.Context, dir string) error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("it is not installed (make test installs it): %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "redis.log"))
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	b.redis = exec.Command(program, "--port", ports[0], "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	b.redis.Stdout, b.redis.Stderr = log, log
	if err := b.redis.Start(); err != nil {
		b.redis = nil
		return err
	}
	b.url = "redis://127.0.0.1:" + ports[0] + "/0"
	opts, err := redis.ParseURL(b.url)
	if err != nil {
		return err
	}
	b.client = redis.NewClient(opts)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := b.client.Ping(ctx).Err()
		if err == nil || ctx.Err() != nil {
			return err
		}
		sleep(ctx, 50*time.Millisecond)
	}
}

// env is where the edge finds the servers.
func (b *backends) env() []string {
	return []string{"REDIS_URL=" + b.url, "AMQP_URL=" + b.rabbit.URL()}
}

// claims returns how many keys are in Redis.
func (b *backends) claims(ctx context.Context) (int, error) {
	n, err := b.client.DBSize(ctx).Result()
	return int(n), err
}

// queued returns how many events are in the queue. The count of a quorum queue
// follows its confirms after a moment: queued waits until it has as many as
// are wanted, and no longer than that takes.
func (b *backends) queued(ctx context.Context, want int) (n int, err error) {
	err = b.channel(func(ch *amqp.Channel) error {
		deadline := time.Now().Add(settled)
		for {
			q, err := ch.QueueDeclarePassive(eventsQueue, true, false, false, false, nil)
			if err != nil {
				return err
			}
			if n = q.Messages; n >= want || time.Now().After(deadline) {
				return ctx.Err()
			}
			sleep(ctx, 200*time.Millisecond)
		}
	})
	return n, err
}

// empty drops all events and claims, so that each round begins alike and the
// disk does not fill.
func (b *backends) empty(ctx context.Context) error {
	return errors.Join(
		b.client.FlushDB(ctx).Err(),
		b.channel(func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(eventsQueue, false)
			return err
		}),
	)
}

func (b *backends) channel(fn func(*amqp.Channel) error) error {
	conn, err := amqp.Dial(b.rabbit.URL())
	if err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	if err := fn(ch); err != nil {
		return fmt.Errorf("rabbitmq: %w", err)
	}
	return nil
}

func (b *backends) stop() {
	if b.rabbit != nil {
		b.rabbit.Close()
	}
	if b.client != nil {
		_ = b.client.Close()
	}
	if b.redis != nil {
		_ = b.redis.Process.Kill()
		_ = b.redis.Wait()
	}
}
