package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hookgate/hookgate/genesys/ipranges"
)

// record is what is known, and since when.
type record struct {
	list      *list     // nil: nothing
	asked     time.Time // when Genesys last answered
	confirmed time.Time // when its answer was last the list
	smaller   string    // the digest of an answer that had shrunk
	seen      int       // how often in a row it came
}

// wantSeen is how often a list that has shrunk must come in a row.
const wantSeen = 3

// document is a record in the storage.
type document struct {
	Version   int       `json:"version"`
	Asked     time.Time `json:"asked"`
	Confirmed time.Time `json:"confirmed"`
	Digest    string    `json:"digest"`
	Carried   []string  `json:"carried,omitempty"`
	Smaller   string    `json:"smaller,omitempty"`
	Seen      int       `json:"seen,omitempty"`
	Entities  []entity  `json:"entities"`
}

type entity struct {
	CIDR    string `json:"cidr"`
	Service string `json:"service,omitempty"`
	Region  string `json:"region,omitempty"`
}

// documentVersion is that of the form.
const documentVersion = 1

func (r *record) encode() ([]byte, error) {
	d := document{
		Version: documentVersion, Asked: r.asked.UTC(), Confirmed: r.confirmed.UTC(),
		Digest: r.list.digest, Carried: r.list.carried, Smaller: r.smaller, Seen: r.seen,
	}
	for _, e := range r.list.entries {
		d.Entities = append(d.Entities, entity{CIDR: e.Prefix.String(), Service: e.Service, Region: e.Region})
	}
	return json.Marshal(d)
}

func decode(data []byte) (*record, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	if d.Version != documentVersion {
		return nil, fmt.Errorf("a form with the version %d is not known", d.Version)
	}
	if d.Asked.IsZero() || d.Confirmed.IsZero() || d.Digest == "" {
		return nil, errors.New("it is not whole")
	}
	entries, err := ipranges.Read(data) // the entities are in the form of Genesys
	if err != nil {
		return nil, err
	}
	return &record{
		list:  &list{entries: normal(entries), digest: d.Digest, carried: d.Carried},
		asked: d.Asked, confirmed: d.Confirmed, smaller: d.Smaller, seen: d.Seen,
	}, nil
}

// judge takes an answer, or not. It returns the record after it.
func (r *record) judge(answer []ipranges.Entry, now time.Time) (next *record, held bool) {
	digest := digestOf(answer)
	taken := &record{list: r.list, asked: now, confirmed: now}
	switch {
	case r.list != nil && digest == r.list.digest:
		return taken, false
	case r.list == nil || !r.list.shrunk(answer):
		taken.list = r.list.successor(answer)
		return taken, false
	}
	seen := 1
	if digest == r.smaller {
		seen = r.seen + 1
	}
	if seen >= wantSeen {
		taken.list = r.list.successor(answer)
		return taken, false
	}
	return &record{list: r.list, asked: now, confirmed: r.confirmed, smaller: digest, seen: seen}, true
}
