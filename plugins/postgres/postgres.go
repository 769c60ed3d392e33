package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/hookgate/hookgate/hook"
)

// inboxName is the table with the records of what was processed.
const inboxName = "hookgate_inbox"

// Handler writes events into a table. It is safe for use by many goroutines.
type Handler struct {
	opts Options

	// The statements.
	remember, recall, insert, forget string

	mu   sync.Mutex
	pool *pgxpool.Pool // nil until it is started, and again when it is closed
	stop context.CancelFunc
	idle sync.WaitGroup // the goroutine that tidies up
}

// New checks the options. It does not connect.
func New(opts Options) (*Handler, error) {
	opts, table, inbox, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := opts.connector().config(); err != nil {
		return nil, err
	}
	return &Handler{
		opts:     opts,
		remember: "insert into " + inbox + " (key, fingerprint, processed_at) values ($1, $2, now()) on conflict (key) do nothing",
		recall:   "select fingerprint from " + inbox + " where key = $1",
		insert: "insert into " + table + " (event_id, hook, received_at, body, fingerprint, replay, attempt)" +
			" values ($1, $2, $3, $4, $5, $6, $7)",
		// By the server's clock: a consumer's that is wrong would forget too much.
		forget: "delete from " + inbox + " where processed_at < now() - $1 * interval '1 second' and key in" +
			" (select key from " + inbox + " where processed_at < now() - $1 * interval '1 second' order by processed_at limit $2)",
	}, nil
}

// Start begins to tidy up the inbox. It connects when there is something to
// do, and may be called again.
func (h *Handler) Start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pool != nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	pool, err := h.opts.connector().pool(ctx)
	if err != nil {
		stop()
		return err
	}
	h.pool, h.stop = pool, stop
	h.idle.Go(func() { h.tidy(ctx, pool) })
	return nil
}

// Close waits for the connections to be given back, and closes them.
func (h *Handler) Close(ctx context.Context) error {
	h.mu.Lock()
	pool, stop := h.pool, h.stop
	h.pool, h.stop = nil, nil
	h.mu.Unlock()
	if pool == nil {
		return nil
	}
	stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.idle.Wait()
		pool.Close()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connections returns the pool, if there is one.
func (h *Handler) connections() (*pgxpool.Pool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pool == nil {
		return nil, &hook.Fault{Kind: hook.KindTransient, Message: "the handler is not started"}
	}
	return h.pool, nil
}

// Handle implements hook.Handler: it writes the event, and does not look
// whether it was written before. Its errors are *hook.Fault.
func (h *Handler) Handle(ctx context.Context, ev *hook.Event) error {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	pool, err := h.connections()
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, h.insert, row(ev)...); err != nil {
		return fault(ctx, err, h.opts.Timeout)
	}
	return nil
}

// HandleOnce implements hook.Once: it writes the event and the record of it.
// Its errors are *hook.Fault.
func (h *Handler) HandleOnce(ctx context.Context, c hook.Claim, ev *hook.Event) (hook.State, hook.Fingerprint, error) {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	pool, err := h.connections()
	if err != nil {
		return 0, hook.Fingerprint{}, err
	}
	state, fp, err := h.once(ctx, pool, c, ev)
	if err != nil {
		return 0, hook.Fingerprint{}, fault(ctx, err, h.opts.Timeout)
	}
	return state, fp, nil
}

// once is the transaction.
func (h *Handler) once(ctx context.Context, pool *pgxpool.Pool, c hook.Claim, ev *hook.Event) (state hook.State, fp hook.Fingerprint, err error) {
	// Read committed: whoever waited for another's record sees it then.
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return 0, fp, err
	}
	defer func() { _ = tx.Rollback(ctx) }() // does nothing after a commit
	tag, err := tx.Exec(ctx, h.remember, c.Key, c.Fingerprint[:])
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == lockNotGot {
		return hook.Pending, fp, nil // somebody else's transaction is still open
	}
	if err != nil {
		return 0, fp, err
	}
	if tag.RowsAffected() == 0 {
		var sum []byte
		if err := tx.QueryRow(ctx, h.recall, c.Key).Scan(&sum); errors.Is(err, pgx.ErrNoRows) {
			return hook.Pending, fp, nil // it has expired just now
		} else if err != nil {
			return 0, fp, err
		}
		copy(fp[:], sum)
		return hook.Committed, fp, nil
	}
	if _, err := tx.Exec(ctx, h.insert, row(ev)...); err != nil {
		return 0, fp, err
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, fp, err
	}
	return hook.Ours, c.Fingerprint, nil
}

// row returns the values of an event, in the order of the statement.
func row(ev *hook.Event) []any {
	var received *time.Time
	if !ev.ReceivedAt.IsZero() {
		received = &ev.ReceivedAt
	}
	// As a text, so that a body that is empty is no null.
	return []any{ev.ID, ev.Hook, received, string(ev.Body), ev.Fingerprint[:], ev.Replay, ev.Attempt}
}

// tidy deletes old records now and then. Many consumers do not all begin at
// the same time.
func (h *Handler) tidy(ctx context.Context, pool *pgxpool.Pool) {
	wait := time.NewTimer(rand.N(tidyEvery))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if err := h.expire(ctx, pool); err != nil && ctx.Err() == nil {
			h.opts.Logger.Warn("old records cannot be deleted from the inbox, which grows", zap.Error(err))
		}
		wait.Reset(tidyEvery)
	}
}

// expire deletes the records that are older than inboxTTL, in small
// transactions that hold nobody up for long.
func (h *Handler) expire(ctx context.Context, pool *pgxpool.Pool) error {
	for {
		bounded, cancel := context.WithTimeout(ctx, h.opts.Timeout)
		tag, err := pool.Exec(bounded, h.forget, int64(inboxTTL/time.Second), tidyBatch)
		if err != nil {
			err = fault(bounded, err, h.opts.Timeout)
		}
		cancel()
		if err != nil || tag.RowsAffected() < tidyBatch {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Interface guards
var (
	_ hook.Handler = (*Handler)(nil)
	_ hook.Once    = (*Handler)(nil)
)
