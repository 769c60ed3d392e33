package request

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Resource tells what a request is sent to from everything else: the host, the
// method and the path. Two paths may lead to one after a rewrite, and one path
// to two, so the path counts as it was sent and as it is now. The query does
// not count: senders put times and signatures there that change with each
// attempt.
func Resource(r *http.Request) []string {
	method, sent := r.Method, r.URL.EscapedPath()
	if orig, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && orig.URL != nil {
		method, sent = orig.Method, orig.URL.EscapedPath()
	}
	return []string{strings.ToLower(r.Host), method, sent, r.URL.EscapedPath()}
}
