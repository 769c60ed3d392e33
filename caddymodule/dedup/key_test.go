package dedup

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/hook"
)

func TestAnIDCountsForTheHookOrForTheResource(t *testing.T) {
	type sent struct{ method, url, rewritten string }
	first := sent{"POST", "http://a.example/x?t=1", ""}
	for _, tc := range []struct {
		name string
		hook string
		then sent
		same bool
	}{
		{"the same again", hook.DefaultName, first, true},
		{"another query", hook.DefaultName, sent{"POST", "http://a.example/x?t=2", ""}, true},
		{"the host in capitals", hook.DefaultName, sent{"POST", "http://A.Example/x", ""}, true},
		{"another path", hook.DefaultName, sent{"POST", "http://a.example/y", ""}, false},
		{"another path that is rewritten to this one", hook.DefaultName, sent{"POST", "http://a.example/y/x", "/x"}, false},
		{"this path rewritten to another one", hook.DefaultName, sent{"POST", "http://a.example/x", "/y"}, false},
		{"the path encoded", hook.DefaultName, sent{"POST", "http://a.example/%78%2F", ""}, false},
		{"another method", hook.DefaultName, sent{"PUT", "http://a.example/x", ""}, false},
		{"another host", hook.DefaultName, sent{"POST", "http://b.example/x", ""}, false},
		{"with a name, another path", "named", sent{"POST", "http://a.example/y", ""}, true},
		{"with a name, another method", "named", sent{"PUT", "http://a.example/x", ""}, true},
		{"with a name, another host", "named", sent{"POST", "http://b.example/x", ""}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev := &hook.Event{Hook: tc.hook, ID: "1"}
			request := func(s sent) *http.Request {
				r := httptest.NewRequest(s.method, s.url, nil)
				orig := http.Request{Method: r.Method, URL: r.URL}
				r = r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, orig))
				if s.rewritten != "" {
					u := *r.URL
					u.Path, u.RawPath = s.rewritten, ""
					r.URL = &u
				}
				return r
			}
			if same := key(ev, request(first)) == key(ev, request(tc.then)); same != tc.same {
				t.Errorf("the same key: %t, want %t", same, tc.same)
			}
		})
	}
}
