package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzARecordThatIsReadIsWrittenAgain(f *testing.F) {
	for _, seed := range []string{
		`{"version":1,"asked":"2026-01-01T00:00:00Z","confirmed":"2026-01-01T00:00:00Z","digest":"x","entities":[{"cidr":"192.0.2.0/24"}]}`,
		`{"version":1,"asked":"2026-01-01T00:00:00.5Z","confirmed":"2025-01-01T00:00:00Z","digest":"x","carried":["smtp"],"smaller":"y","seen":2,"entities":[{"cidr":"192.0.2.1","service":"smtp","region":"r"},{"cidr":"::/0"}]}`,
		`{"version":2}`, `{}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		if len(r.list.entries) == 0 || r.asked.IsZero() || r.confirmed.IsZero() {
			t.Fatalf("%+v was taken", r)
		}
		written, err := r.encode()
		if err != nil {
			return // a year that JSON cannot write
		}
		again, err := decode(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		second, err := again.encode()
		if diff := cmp.Diff(string(written), string(second)); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}
