package embedded

import bolt "go.etcd.io/bbolt"

// bucketProbe is there while the writer looks for space. A process that was
// killed may leave it behind.
const bucketProbe = "probe"

const probeSize = 64 << 10 // bytes, as large as an event commonly may be

// probe writes something and takes it away again, to see whether there is
// space: after a transaction found none, and at the start where there may be none.
func (w *writer) probe() {
	name := []byte(bucketProbe)
	out, _ := w.update(func(tx *bolt.Tx) (bool, error) {
		b, err := tx.CreateBucketIfNotExists(name)
		if err != nil {
			return false, err
		}
		return true, b.Put(name, make([]byte, probeSize))
	})
	if out != committed {
		return
	}
	out, _ = w.update(func(tx *bolt.Tx) (bool, error) { return true, tx.DeleteBucket(name) })
	if out == committed {
		w.noRoom.Store(false)
		w.noteFull()
	}
}
