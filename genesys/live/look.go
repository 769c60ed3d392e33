package live

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/hookgate/hookgate/genesys/ipranges"
)

// Look returns what there is to see of a list in a storage: whether there is one,
// its age and its ranges. It is for who does not keep the list.
func Look(ctx context.Context, s Storage, key string) (Stats, error) {
	data, err := s.Load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return Stats{}, nil
	}
	if err != nil {
		return Stats{}, err
	}
	r, err := decode(data)
	if err != nil {
		return Stats{}, err
	}
	return Stats{Known: true, Age: max(0, time.Since(r.confirmed)), Ranges: len(ipranges.Select(r.list.entries, nil))}, nil
}
