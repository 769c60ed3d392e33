package validate

import (
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/hookgate/hookgate/hook"
)

// checkMediaType takes application/json and types with the suffix +json (RFC
// 6839), in UTF-8. Bodies with a Content-Encoding are not taken: the cap and
// the signature are about what was sent.
func checkMediaType(header http.Header, anyType bool) error {
	for _, v := range header.Values("Content-Encoding") {
		if v != "" && !strings.EqualFold(v, "identity") {
			return &hook.Error{Code: hook.CodeUnsupportedMediaType, Detail: "send the body without a Content-Encoding"}
		}
	}
	if anyType {
		return nil
	}
	values := header.Values("Content-Type")
	if len(values) != 1 {
		return &hook.Error{Code: hook.CodeUnsupportedMediaType}
	}
	if isUsual(values[0]) {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(values[0])
	if err != nil || mediaType != "application/json" && !isJSONSuffix(mediaType) {
		return &hook.Error{Code: hook.CodeUnsupportedMediaType}
	}
	if charset, ok := params["charset"]; ok && !isUTF8(charset) {
		return &hook.Error{Code: hook.CodeUnsupportedMediaType}
	}
	return nil
}

// isUsual knows what nearly all senders write, in any case, so that it need not
// be taken apart.
func isUsual(contentType string) bool {
	for _, usual := range [...]string{"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"} {
		// What EqualFold takes for an ASCII letter beside the letter itself is longer.
		if len(contentType) == len(usual) && strings.EqualFold(contentType, usual) {
			return true
		}
	}
	return false
}

// isUTF8 reports whether a charset is UTF-8, also by the name without a hyphen
// that many clients write (https://encoding.spec.whatwg.org/#names-and-labels).
// What the bytes are is found out when they are read.
func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

func isJSONSuffix(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

var traceparent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$`)

// maxTracestate is how much of a tracestate is kept at most, in bytes: what
// the specification asks for (W3C Trace Context, section 3.3.1.5).
const maxTracestate = 512

// traceContext keeps the request's W3C trace context with the event. Caddy's
// tracing handler, where it is on, has put its own span there already. A field
// that is malformed is left out.
func traceContext(header http.Header) map[string]string {
	parent := header.Values("Traceparent")
	if len(parent) != 1 || len(parent[0]) > 128 || !traceparent.MatchString(parent[0]) || strings.HasPrefix(parent[0], "ff") {
		return nil
	}
	kept := map[string]string{hook.HeaderTraceparent: parent[0]}
	if state := strings.Join(header.Values("Tracestate"), ","); state != "" && len(state) <= maxTracestate {
		kept[hook.HeaderTracestate] = state
	}
	return kept
}
