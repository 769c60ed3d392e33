package validate

import (
	"net/http"
	"testing"
)

func TestJSONInUTF8IsTaken(t *testing.T) {
	for contentType, taken := range map[string]bool{
		"application/json":                            true,
		"Application/JSON":                            true,
		"application/json; charset=utf-8":             true,
		"application/json;charset=UTF-8":              true,
		"application/json ; charset=utf-8":            true,
		"application/json; charset=utf8":              true,
		`application/json; charset="utf-8"`:           true,
		"application/json; charset=utf-8; profile=x":  true,
		"application/json;":                           true,
		"application/problem+json":                    true,
		"application/json; charset=utf-16":            false,
		"application/json; charset=latin1":            false,
		"application/json; charset=utf-8; charset=us": false,
		"application/json, application/json":          false,
		"application/j\u017fon":                       false, // which folds to application/json
		"application/json; charset=utf-\uff18":        false,
		"text/json":                                   false,
		"text/plain":                                  false,
		"":                                            false,
	} {
		err := checkMediaType(http.Header{"Content-Type": {contentType}}, false)
		if (err == nil) != taken {
			t.Errorf("%q: %v", contentType, err)
		}
	}
	for name, header := range map[string]http.Header{
		"no media type": {},
		"two":           {"Content-Type": {"application/json", "application/json"}},
		"an encoding":   {"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
	} {
		if checkMediaType(header, false) == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestTheUsualMediaTypesAreNotTakenApart(t *testing.T) {
	header := http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	if n := testing.AllocsPerRun(100, func() { _ = checkMediaType(header, false) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
