package genesys_test

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/hookgate/hookgate/genesys"
)

// paged is a sender whose listing has pages of these sizes.
type paged struct {
	sizes []int
	count bool // it says how many pages there are
	calls int
}

func (p *paged) Send(_ context.Context, req *genesys.Request, out any) error {
	p.calls++
	n, err := strconv.Atoi(req.Query.Get("pageNumber"))
	if err != nil {
		return err
	}
	page := map[string]any{"entities": []any{}}
	if n <= len(p.sizes) {
		page["entities"] = make([]struct{}, p.sizes[n-1])
	}
	if p.count {
		page["pageCount"] = len(p.sizes)
	}
	data, err := json.Marshal(page)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

func TestAListingEndsWhereItsPagesDo(t *testing.T) {
	for name, tc := range map[string]struct {
		paged
		want, calls int
	}{
		"that counts its pages":            {paged{sizes: []int{100, 100, 30}, count: true}, 230, 3},
		"whose pages are smaller":          {paged{sizes: []int{25, 25, 25}, count: true}, 75, 3},
		"that does not count":              {paged{sizes: []int{100, 30}}, 130, 2},
		"that does not count, and is full": {paged{sizes: []int{100, 100}}, 200, 3},
		"that is empty":                    {paged{sizes: nil, count: true}, 0, 1},
		"that promises more than it has":   {paged{sizes: []int{100, 0, 0}, count: true}, 100, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := genesys.API{Sender: &tc.paged}.Integrations(t.Context())
			if err != nil || len(got) != tc.want || tc.calls != tc.paged.calls {
				t.Errorf("%d entities in %d calls, %v", len(got), tc.paged.calls, err)
			}
		})
	}
}
