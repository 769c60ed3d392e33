package genesys

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// API is the part of the Platform API that Hookgate uses.
type API struct{ Sender }

// pageSize is how many entities a page has at most.
const pageSize = 100

// maxPages ends a listing that does not end by itself.
const maxPages = 1000

// IPRanges returns the answer of GET /api/v2/ipranges as it came, for
// ipranges.Read. It needs a token, and no permission.
func (a API) IPRanges(ctx context.Context) (json.RawMessage, error) {
	var raw json.RawMessage
	return raw, a.Send(ctx, &Request{Method: http.MethodGet, Path: "/api/v2/ipranges"}, &raw)
}

// page is one of a listing by number.
type page[T any] struct {
	Entities  []T `json:"entities"`
	PageCount int `json:"pageCount"`
}

// numbered reads a listing whose pages have numbers.
func numbered[T any](ctx context.Context, a API, path string, query url.Values) ([]T, error) {
	var all []T
	for n := 1; n <= maxPages; n++ {
		q := url.Values{"pageSize": {strconv.Itoa(pageSize)}, "pageNumber": {strconv.Itoa(n)}}
		for k, v := range query {
			q[k] = v
		}
		var p page[T]
		if err := a.Send(ctx, &Request{Method: http.MethodGet, Path: path, Query: q}, &p); err != nil {
			return nil, err
		}
		all = append(all, p.Entities...)
		// Not every listing says how many pages there are.
		last := p.PageCount > 0 && n >= p.PageCount || p.PageCount == 0 && len(p.Entities) < pageSize
		if last || len(p.Entities) == 0 {
			return all, nil
		}
	}
	return nil, endless(path)
}

// cursored reads a listing whose pages name the next one.
func cursored[T any](ctx context.Context, a API, path string) ([]T, error) {
	var all []T
	query := url.Values{"pageSize": {strconv.Itoa(pageSize)}}
	for range maxPages {
		var p struct {
			Entities []T    `json:"entities"`
			NextURI  string `json:"nextUri"`
		}
		if err := a.Send(ctx, &Request{Method: http.MethodGet, Path: path, Query: query}, &p); err != nil {
			return nil, err
		}
		all = append(all, p.Entities...)
		next, err := url.Parse(p.NextURI)
		if err != nil || next.Query().Get("after") == "" {
			return all, nil
		}
		query.Set("after", next.Query().Get("after")) // of the link nothing else is used: it may lead elsewhere
	}
	return nil, endless(path)
}

func endless(path string) error {
	return fmt.Errorf("genesys: GET %s: more than %d pages", path, maxPages)
}

// What Try looks at.
const (
	TryIntegrations  = integrationsPath
	TryActions       = actionsPath
	TryOpenMessaging = openMessagingPath
)

// Try looks at one entity of a listing, to see whether the client may.
func (a API) Try(ctx context.Context, path string) error {
	var p page[json.RawMessage]
	return a.Send(ctx, &Request{Method: http.MethodGet, Path: path, Query: url.Values{"pageSize": {"1"}, "pageNumber": {"1"}}}, &p)
}
