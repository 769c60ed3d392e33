package genesystest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The part of Velocity that request templates use: references, $esc.jsonString
// of one, and #if on whether one is not empty.
var (
	reference = regexp.MustCompile(`^\$(!?)\{(input|credentials)\.([A-Za-z0-9_]+)\}`)
	escaped   = regexp.MustCompile(`^\$esc\.jsonString\((\$!?\{[^}]*\})\)`)
	condition = regexp.MustCompile(`^#if\("(\$!\{[^}]*\})" (!=|==) ""\)`)
)

// render resolves a template. Like Velocity it leaves a reference to nothing as
// it stands, unless it is written with $!.
func render(template string, scope map[string]map[string]any) (string, error) {
	r := &renderer{scope: scope, rest: template}
	if err := r.block(true, true); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

type renderer struct {
	scope map[string]map[string]any
	rest  string
	out   strings.Builder
}

// block renders up to an #end or #{else}, or to the end of the outermost one.
func (r *renderer) block(outermost, shown bool) error {
	for r.rest != "" {
		switch {
		case strings.HasPrefix(r.rest, "#end"), strings.HasPrefix(r.rest, "#{else}"):
			if outermost {
				return errors.New("there is an #end or #else without an #if")
			}
			return nil
		case strings.HasPrefix(r.rest, "#if"):
			if err := r.conditional(shown); err != nil {
				return err
			}
		case strings.HasPrefix(r.rest, "#"):
			return fmt.Errorf("unknown directive at %.20q", r.rest)
		default:
			r.emit(r.text(), shown)
		}
	}
	if !outermost {
		return errors.New("an #if has no #end")
	}
	return nil
}

func (r *renderer) emit(text string, shown bool) {
	if shown {
		r.out.WriteString(text)
	}
}

// text takes a reference, or what stands before the next.
func (r *renderer) text() string {
	if m := escaped.FindStringSubmatch(r.rest); m != nil {
		r.rest = r.rest[len(m[0]):]
		quoted, _ := json.Marshal(r.resolve(m[1]))
		return string(quoted[1 : len(quoted)-1])
	}
	if m := reference.FindString(r.rest); m != "" {
		r.rest = r.rest[len(m):]
		return r.resolve(m)
	}
	n := strings.IndexAny(r.rest[1:], "$#")
	if n < 0 {
		n = len(r.rest) - 1
	}
	text := r.rest[:n+1]
	r.rest = r.rest[n+1:]
	return text
}

// resolve returns what a reference stands for.
func (r *renderer) resolve(ref string) string {
	m := reference.FindStringSubmatch(ref)
	if m == nil {
		return ref
	}
	if m[2] == "input" && m[3] == "rawRequest" {
		all, _ := json.Marshal(r.scope["input"])
		return string(all)
	}
	switch v := r.scope[m[2]][m[3]].(type) {
	case nil:
		if m[1] == "!" {
			return ""
		}
		return ref
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func (r *renderer) conditional(shown bool) error {
	m := condition.FindStringSubmatch(r.rest)
	if m == nil {
		return fmt.Errorf("unknown condition at %.40q", r.rest)
	}
	r.rest = r.rest[len(m[0]):]
	holds := (r.resolve(m[1]) == "") == (m[2] == "==")
	if err := r.block(false, shown && holds); err != nil {
		return err
	}
	if rest, ok := strings.CutPrefix(r.rest, "#{else}"); ok {
		r.rest = rest
		if err := r.block(false, shown && !holds); err != nil {
			return err
		}
	}
	var ended bool
	if r.rest, ended = strings.CutPrefix(r.rest, "#end"); !ended {
		return errors.New("an #if has two #else")
	}
	return nil
}
