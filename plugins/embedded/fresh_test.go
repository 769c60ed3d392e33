package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/hookgate/hookgate/hook"
)

// plain checks that a closed file is as it was before there were fresh keys.
func plain(t *testing.T, path string, keys int) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.View(func(tx *bolt.Tx) error {
		if v := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyFormat)); len(v) != 1 || v[0] != formatPlain {
			t.Errorf("its format is %d", v)
		}
		for _, name := range []string{bucketFresh, bucketFresh2} {
			if tx.Bucket([]byte(name)) != nil {
				t.Errorf("it has a bucket %s", name)
			}
		}
		if n := tx.Bucket([]byte(bucketKeys)).Stats().KeyN; n != keys {
			t.Errorf("%d keys are in their place, want %d", n, keys)
		}
		return nil
	}))
	must(t, db.Close())
}

func TestAFileThatWasClosedIsReadByThoseWhoKnowNoFreshKeys(t *testing.T) {
	for name, enough := range map[string]int{"none has moved": 1000, "some have moved": 70, "most have moved": 8} {
		t.Run(name, func(t *testing.T) {
			d := unstarted(t, Options{})
			d.freshEnough = enough
			begin(t, d)
			for i := range 100 {
				accepted(t, d, fmt.Sprint(i))
			}
			intact(t, d)
			must(t, d.Close(t.Context()))
			plain(t, d.path, 100)
			d = again(t, d)
			for i := range 100 {
				if s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", fmt.Sprint(i)), 2, 1), event("e"), nil); s != hook.Committed || err != nil {
					t.Error(i, s, err)
				}
			}
			intact(t, d)
		})
	}
}

func TestFreshKeysThatHaveAllExpiredLeaveNothingBehind(t *testing.T) {
	c := newClock()
	d := unstarted(t, Options{Now: c.now})
	d.tick = 5 * time.Millisecond
	begin(t, d)
	accepted(t, d, "e")
	c.advance(48 * time.Hour)
	eventually(t, "the key is gone", func() bool { return d.Stats().Keys == 0 })
	intact(t, d)
	must(t, d.Close(t.Context()))
	plain(t, d.path, 0)
}

func TestDamagedFreshKeysAreAnErrorOfTheFormat(t *testing.T) {
	for name, damage := range map[string]func(*bolt.Tx) error{
		"a key": func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketFresh)).Put(make([]byte, 8), []byte{9}) },
		"a record": func(tx *bolt.Tx) error {
			return tx.Bucket([]byte(bucketFresh)).Put(make([]byte, 8), make([]byte, 57))
		},
		"a place":      func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFresh), []byte{1, 2}) },
		"a third side": func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(keyFresh), []byte{2}) },
	} {
		t.Run(name, func(t *testing.T) {
			d := unstarted(t, Options{})
			d.keepsFresh = true
			begin(t, d)
			accepted(t, d, "e")
			must(t, d.Close(t.Context()))
			db, err := bolt.Open(d.path, 0o600, nil)
			must(t, err)
			must(t, db.Update(damage))
			must(t, db.Close())
			if err := unstarted(t, Options{Path: d.path}).Start(); !errors.Is(err, ErrFormat) {
				t.Error(err)
			}
		})
	}
}

// freshKeys is how many keys of a file are fresh.
func freshKeys(t *testing.T, d *DB) (n int) {
	t.Helper()
	must(t, d.bolt.View(func(tx *bolt.Tx) error {
		f, err := loadFresh(tx)
		if err == nil {
			n = len(f.sides[0]) + len(f.sides[1])
		}
		return err
	}))
	return n
}

// TestFreshKeysMoveAsFastAsTheyCome: they are in memory.
func TestFreshKeysMoveAsFastAsTheyCome(t *testing.T) {
	for name, each := range map[string]int{"one in a transaction": 1, "a few in an operation": 5, "many in an operation": 40} {
		t.Run(name, func(t *testing.T) {
			const enough = 20
			d := unstarted(t, Options{})
			d.freshEnough = enough
			begin(t, d)
			cs := make([]hook.Claim, each)
			most := 0
			for i := range 60 {
				for j := range cs {
					cs[j] = claimOn(fmt.Sprint(i, " ", j), 1, 1)
				}
				must(t, d.Commit(t.Context(), cs...))
				most = max(most, freshKeys(t, d))
			}
			if limit := 2 * (enough + each); most > limit {
				t.Errorf("%d were fresh at once, want %d at most", most, limit)
			}
			intact(t, d)
		})
	}
}

func TestADuplicateWritesNothingWhileKeysMove(t *testing.T) {
	d := unstarted(t, Options{})
	d.freshEnough = 10
	d.tick = time.Hour
	begin(t, d)
	for i := range 11 {
		accepted(t, d, fmt.Sprint(i))
	}
	if n := freshKeys(t, d); n < 2 || n > 10 {
		t.Fatalf("%d keys are fresh: none moves", n)
	}
	before := d.Stats().Batches
	if s, _, err := d.Accept(t.Context(), claimOn(hook.EventKey("h", "0"), 2, 1), event("0"), nil); s != hook.Committed || err != nil {
		t.Error(s, err)
	}
	if n := d.Stats().Batches - before; n != 0 {
		t.Errorf("%d transactions for a duplicate", n)
	}
}

// TestKeysAreKnownWhereverTheyAre has keys that are new, move, expire and are
// committed again, through crashes and failed transactions, and holds all that
// is known of them against a map.
func TestKeysAreKnownWhereverTheyAre(t *testing.T) {
	outer, dir, files := t, t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		type known struct {
			fp     byte
			expiry int64
		}
		files++
		var (
			path    = filepath.Join(dir, fmt.Sprint(files))
			clock   = newClock()
			model   = map[string]known{}
			d       *DB
			crashed *atomic.Bool
			noSpace atomic.Int32 // transactions that find none
		)
		open := func() {
			var err error
			d, err = New(Options{Path: path, Now: clock.now})
			if err != nil {
				t.Fatal(err)
			}
			d.tick = time.Hour
			d.freshEnough = rapid.IntRange(1, 8).Draw(t, "enough")
			crashed = new(atomic.Bool)
			c := crashed
			d.commit = func(tx *bolt.Tx) error {
				if c.Load() {
					return errors.Join(tx.Rollback(), syscall.EIO)
				}
				if noSpace.Add(-1) >= 0 {
					return errors.Join(tx.Rollback(), &fs.PathError{Op: "write", Err: syscall.ENOSPC})
				}
				return tx.Commit()
			}
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
		}
		stop := func() {
			if err := d.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		claim := func(label string) (hook.Claim, byte) {
			fp := rapid.Byte().Draw(t, "fp")
			c := claimOn(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"}).Draw(t, label), 1, fp)
			c.TTL = time.Duration(rapid.IntRange(1, 5).Draw(t, "ttl")) * time.Minute
			return c, fp
		}
		note := func(c hook.Claim, fp byte) {
			model[c.Key] = known{fp, clock.now().Add(c.TTL).UnixMilli()}
		}
		open()
		t.Repeat(map[string]func(*rapid.T){
			"accept": func(t *rapid.T) {
				c, fp := claim("accept")
				s, got, err := d.Accept(context.Background(), c, event(c.Key), nil)
				if err != nil {
					t.Fatal(err)
				}
				was, there := model[c.Key]
				if there = there && clock.now().UnixMilli() < was.expiry; there != (s == hook.Committed) {
					t.Fatalf("%s is %v, known before: %v", c.Key, s, there)
				}
				if there && got[0] != was.fp {
					t.Fatalf("%s has fingerprint %d, want %d", c.Key, got[0], was.fp)
				}
				if !there {
					note(c, fp)
				}
			},
			"commit": func(t *rapid.T) {
				c, fp := claim("commit")
				if err := d.Commit(context.Background(), c); err != nil {
					t.Fatal(err)
				}
				note(c, fp)
			},
			"fail": func(t *rapid.T) {
				c, _ := claim("fail")
				o := d.newOp(func(b *batch, o *op) error { return errors.Join(b.commitAll(o), errRecord) })
				if err := o.addClaim(c, true, nil); err != nil {
					t.Fatal(err)
				}
				if _, err := d.do(context.Background(), o); !errors.Is(err, errRecord) {
					t.Fatal(err)
				}
			},
			"find no space": func(t *rapid.T) { // for what is new, or for anything
				c, fp := claim("no space")
				times := rapid.Int32Range(1, 2).Draw(t, "times")
				noSpace.Store(times)
				err := d.Commit(context.Background(), c)
				noSpace.Store(0)
				d.noRoom.Store(false)
				switch {
				case err == nil && times == 1:
					note(c, fp)
				case !errors.Is(err, ErrFull) || times == 1:
					t.Fatal(err)
				}
			},
			"wait":  func(t *rapid.T) { clock.advance(time.Duration(rapid.IntRange(0, 2).Draw(t, "minutes")) * time.Minute) },
			"crash": func(t *rapid.T) { crashed.Store(true); stop(); open() },
			"close": func(t *rapid.T) { stop(); open() },
			"":      func(*rapid.T) {},
		})
		now := clock.now().UnixMilli()
		for key, k := range model {
			s, fp, err := d.Claim(context.Background(), claimOn(key, 2, 0))
			if live := now < k.expiry; err != nil || live != (s == hook.Committed) || live && fp[0] != k.fp {
				t.Fatalf("%s: %v %v %v, want %+v", key, s, fp[0], err, k)
			}
		}
		intact(outer, d)
		stop()
	})
}
