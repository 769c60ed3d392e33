package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The versions of the file's layout. Who knows the first one only must not open
// a file with fresh keys: they would be new to him. One that was closed has none.
const (
	formatPlain = 1
	formatFresh = 2
)

const (
	lockTimeout = 500 * time.Millisecond
	initialMmap = 256 << 20 // mapping anew stops all readers: begin large
)

// The buckets, and the keys of the meta bucket.
const (
	bucketMeta    = "meta"
	bucketKeys    = "keys"
	bucketExpiry  = "expiry"
	bucketReady   = "ready"
	bucketDead    = "dead"
	bucketHanded  = "handed"
	bucketLater   = "due"
	bucketLaterAt = "due_at"
	bucketFresh   = "fresh"  // and
	bucketFresh2  = "fresh2" // in turns
	keyFormat     = "format"
	keyCounts     = "counts"
	keyLater      = "due"
	keyFresh      = "fresh"
)

// open opens or makes the file, and reads its counts.
func open(path string) (*bolt.DB, counts, error) {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, counts{}, fmt.Errorf("the folder %s cannot be made: %w", filepath.Dir(path), withoutPath(err))
	}
	db, err := openBolt(path)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, counts{}, fmt.Errorf("the file %s %w", path, ErrInUse)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, counts{}, fmt.Errorf("the file %s %w: %w", path, ErrFormat, err)
	case err != nil:
		return nil, counts{}, fmt.Errorf("the file %s cannot be opened: %w", path, withoutPath(err))
	}
	c, err := prepare(db)
	if err == nil {
		err = syncFolder(filepath.Dir(path)) // the file's own name
	}
	if err != nil {
		_ = db.Close()
		return nil, counts{}, fmt.Errorf("the file %s %w", path, err)
	}
	return db, c, nil
}

// openBolt is bolt.Open, which panics on some damaged files and then leaves
// them open and locked.
func openBolt(path string) (db *bolt.DB, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if file != nil {
				_ = file.Close()
			}
			db, err = nil, fmt.Errorf("%w: %v", bolterrors.ErrInvalid, r)
		}
	}()
	return bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: initialMmap,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
}

// prepare checks the layout of the file, or makes it in a new one.
func prepare(db *bolt.DB) (c counts, err error) {
	empty := false
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error {
			if name, _ := tx.Cursor().First(); name == nil {
				empty = true
				return nil
			}
			c, err = check(tx)
			return err
		})
	})
	if err != nil || !empty {
		return c, err
	}
	return counts{}, db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{bucketMeta, bucketKeys, bucketExpiry, bucketReady, bucketDead} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFormat), []byte{formatPlain})
	})
}

// check reads the counts of a file that holds something already.
func check(tx *bolt.Tx) (counts, error) {
	fi, err := os.Stat(tx.DB().Path())
	if err != nil {
		return counts{}, withoutPath(err)
	}
	if fi.Size() < tx.Size() {
		return counts{}, fmt.Errorf("%w: it is cut short", ErrFormat)
	}
	meta := tx.Bucket([]byte(bucketMeta))
	if meta == nil {
		return counts{}, fmt.Errorf("%w: it has no format", ErrFormat)
	}
	switch v := meta.Get([]byte(keyFormat)); {
	case len(v) != 1 || v[0] == 0:
		return counts{}, fmt.Errorf("%w: it has no format", ErrFormat)
	case v[0] > formatFresh:
		return counts{}, fmt.Errorf("%w: its format is %d, and %d is the newest that is known", ErrFormat, v[0], formatFresh)
	}
	for _, name := range []string{bucketKeys, bucketExpiry, bucketReady, bucketDead} {
		if tx.Bucket([]byte(name)) == nil {
			return counts{}, fmt.Errorf("%w: it has no %s", ErrFormat, name)
		}
	}
	return readCounts(meta)
}
