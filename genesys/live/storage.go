package live

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"go.uber.org/zap"
)

// Storage is where the list is kept. Caddy's is one. It is missed, but never
// necessary: what goes wrong with it is logged.
type Storage interface {
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
	Load(ctx context.Context, key string) ([]byte, error) // fs.ErrNotExist where there is nothing
	Store(ctx context.Context, key string, value []byte) error
}

const (
	storageTime = 10 * time.Second // for reading or writing
	lockTime    = 30 * time.Second // for another node to fetch
)

func (k *Keeper) storage() Storage {
	if u := k.user(); u != nil {
		return u.Storage
	}
	return nil
}

// lock has this node alone fetch, where there is a storage, and returns how it
// ends.
func (k *Keeper) lock(ctx context.Context) (unlock func()) {
	s := k.storage()
	if s == nil {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	if err := s.Lock(ctx, k.opts.Key); err != nil {
		k.complain(ctx, "locking", err)
		return func() {}
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storageTime)
		defer cancel()
		if err := s.Unlock(ctx, k.opts.Key); err != nil {
			k.complain(ctx, "unlocking", err)
		}
	}
}

// load returns what is in the storage, and nil for nothing that can be used.
func (k *Keeper) load(ctx context.Context) *record {
	s := k.storage()
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	data, err := s.Load(ctx, k.opts.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var r *record
	if err == nil {
		r, err = decode(data)
	}
	if err != nil {
		k.complain(ctx, "reading", err)
		return nil
	}
	return r
}

func (k *Keeper) store(ctx context.Context, r *record) {
	s := k.storage()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	data, err := r.encode()
	if err == nil {
		err = s.Store(ctx, k.opts.Key, data)
	}
	if err != nil {
		k.complain(ctx, "writing", err)
	}
}

func (k *Keeper) complain(ctx context.Context, doing string, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) { // the end
		return
	}
	k.opts.Logger.Warn("the storage of the Genesys addresses: it goes on without", zap.String("doing", doing), zap.Error(err))
}
