package embedded

import bolt "go.etcd.io/bbolt"

// lazy is a bucket that is made when something is put into it for the first
// time: a file from before there was a consumer does not have it.
type lazy struct {
	name string
	b    *bolt.Bucket
}

func lazily(tx *bolt.Tx, name string) lazy { return lazy{name, tx.Bucket([]byte(name))} }

func (l *lazy) get(k []byte) []byte {
	if l.b == nil {
		return nil
	}
	return l.b.Get(k)
}

func (l *lazy) put(tx *bolt.Tx, k, v []byte) (err error) {
	if l.b == nil {
		if err = l.create(tx); err != nil {
			return err
		}
	}
	return l.b.Put(k, v)
}

func (l *lazy) delete(k []byte) error {
	if l.b == nil {
		return nil
	}
	return l.b.Delete(k)
}

func (l *lazy) create(tx *bolt.Tx) (err error) {
	l.b, err = tx.CreateBucketIfNotExists([]byte(l.name))
	return err
}

// drop removes the bucket.
func (l *lazy) drop(tx *bolt.Tx) error {
	if l.b == nil {
		return nil
	}
	l.b = nil
	return tx.DeleteBucket([]byte(l.name))
}
