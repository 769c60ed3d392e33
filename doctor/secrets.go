package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Secrets looks for secrets that stand in a config in JSON: where a Caddyfile has
// {$NAME}, or the secret itself, everybody who sees the config sees it, and the
// admin API shows it. It notes where it stands, and never what.
func Secrets(config []byte) []Finding {
	const check = "config.secrets"
	n := Notes{}
	var doc any
	if err := json.Unmarshal(config, &doc); err != nil {
		n.Skip(check, "the config is not JSON", "")
		return n.List
	}
	var places []place
	walk("", "", doc, &places)
	for _, p := range places {
		n.About = p.pointer
		n.Fail(check, p.why, "write {env.NAME} or {file./path} there: {$NAME} and the text itself end up in the config")
	}
	if len(places) == 0 {
		n.OK(check, "no secret stands in the config itself")
	}
	return n.List
}

// place is where a secret stands.
type place struct{ pointer, why string }

// walk goes through a document. name is that of the field, or of the nearest one
// that has a value of its own in it.
func walk(pointer, name string, v any, found *[]place) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			walk(pointer+"/"+escape(key), key, v[key], found)
		}
	case []any:
		for i, e := range v {
			walk(pointer+"/"+strconv.Itoa(i), name, e, found)
		}
	case string:
		if why := judge(name, v); why != "" {
			*found = append(*found, place{pointer, why})
		}
	}
}

// escape writes a key as a token of a JSON pointer (RFC 6901).
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

var (
	// bearing are names of fields that hold a secret.
	bearing = regexp.MustCompile(`(?i)^(.*[_-])?(password|passwd|passphrase|secrets?|client_secret|token|api[_-]?key|private[_-]?key|authorization|bearer|credentials?)$`)

	// hashed is what a password was made into that nobody gets back.
	hashed = regexp.MustCompile(`^\$(2[aby]|argon2)`)

	// naming are names of fields that say where a secret is, or what it is
	// called.
	naming = regexp.MustCompile(`(?i)(_file|_path|_url|_name|_header)$`)

	// hole is a placeholder that Caddy fills in when the config is loaded.
	hole = regexp.MustCompile(`\{[^{}]+\}`)

	// secretWord is in the name of what may be a secret.
	secretWord = regexp.MustCompile(`(?i)(secret|token|passw|api-?key|authorization|signature)`)

	// dsnPassword is a password among the words of a PostgreSQL DSN.
	dsnPassword = regexp.MustCompile(`(?i)(^|[\s?&])password\s*=\s*('[^']*'|[^\s&]*)`)
)

// judge says why a text is a secret, or nothing.
func judge(name, text string) string {
	bare := hole.ReplaceAllLiteralString(text, "")
	if strings.TrimSpace(bare) == "" || hashed.MatchString(text) {
		return "" // nothing, placeholders alone, or a hash
	}
	if password(bare, text) {
		return "a password stands in a URL or DSN"
	}
	if bearing.MatchString(name) && !naming.MatchString(name) && !hole.MatchString(text) && !isPath(text) {
		return fmt.Sprintf("a literal stands in a field %q", name)
	}
	if secretWord.MatchString(name) && !naming.MatchString(name) && !hole.MatchString(text) && random(text) {
		return fmt.Sprintf("what looks like a key stands in a field %q", name)
	}
	return ""
}

// password reports whether a text is a URL with a password, or words with one.
func password(bare, text string) bool {
	const filler = "\x00" // or the next word would stand in its place
	if m := dsnPassword.FindStringSubmatch(hole.ReplaceAllLiteralString(text, filler)); m != nil && strings.Trim(m[2], "'"+filler) != "" {
		return true
	}
	if !strings.Contains(text, "://") {
		return false
	}
	u, err := url.Parse(bare)
	if err != nil || u.User == nil {
		return false
	}
	p, _ := u.User.Password()
	return p != ""
}

// isPath reports whether a text is a path, which a secret is not.
func isPath(text string) bool { return strings.HasPrefix(text, "/") && !random(text) }

// random reports whether a text looks drawn: long, without spaces, and of many
// different characters.
func random(text string) bool {
	if len(text) < 16 || strings.ContainsAny(text, " \t\n/.:") && !strings.HasPrefix(text, "whsec_") {
		return false
	}
	counts := make(map[rune]float64)
	for _, r := range text {
		counts[r]++
	}
	bits := 0.0
	for _, c := range counts {
		p := c / float64(len(text))
		bits -= p * math.Log2(p)
	}
	return bits >= 3
}
