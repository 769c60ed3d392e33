package simulate

import (
	"bytes"
	"slices"
)

// malform breaks a good body in one of several ways, and names the way. All but
// wrong_type are not JSON objects at all; wrong_type breaks only the contract.
func (w writer) malform(good []byte, p *payload) (body []byte, way string) {
	way = pick(w.rng, "truncated", "bad_utf8", "wrong_type", "duplicate_name", "array", "trailing_data", "not_json")
	switch way {
	case "truncated":
		body = good[:1+w.rng.IntN(len(good)-1)]
	case "bad_utf8":
		body = bytes.Replace(good, []byte(`":"`), []byte("\":\"\xc3\x28\xff"), 1)
	case "wrong_type":
		body = bytes.Replace(good, []byte(`"`+p.wrong+`":`), []byte(`"`+p.wrong+`":{"no":"string"},"was":`), 1)
	case "duplicate_name":
		body = bytes.Replace(good, []byte(`{`), []byte(`{"`+p.id+`":"evt_`+w.base36(32)+`",`), 1)
	case "array":
		body = slices.Concat([]byte("["), good, []byte("]"))
	case "trailing_data":
		body = slices.Concat(good, []byte("\n"), good)
	case "not_json":
		body = []byte(p.id + "=evt_" + w.base36(32) + "&callOutcome=answered")
	}
	return body, way
}

// farOversized is by how much the largest bodies are too large. It is more than
// a server reads for the sake of the connection (net/http: 256 KiB), so that
// the answer comes before the body was sent.
const farOversized = 512 << 10

// oversize pads a good body to more than limit bytes: by one byte, to double
// the limit, or far beyond it.
func (w writer) oversize(good []byte, limit int) []byte {
	size := limit + pick(w.rng, 1, limit, farOversized)
	const member = `,"note":""}`
	padding := max(1, size-(len(good)-1)-len(member))
	return slices.Concat(
		good[:len(good)-1],
		[]byte(`,"note":"`),
		bytes.Repeat([]byte("x"), padding),
		[]byte(`"}`),
	)
}
