// Package parse reads the subdirectives of Hookgate's Caddyfile blocks: one
// form each, and whatever is unknown, repeated, missing or extra is an error
// with file and line.
package parse

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/hookgate/hookgate/hook"
)

// Func reads the arguments of one subdirective, whose name is the current
// token. It need not look for arguments that are too many.
type Func func(d *caddyfile.Dispenser) error

// Block reads the block of the current directive, if there is one. Each
// subdirective may stand once.
func Block(d *caddyfile.Dispenser, subdirectives map[string]Func) error {
	return BlockRepeating(d, subdirectives)
}

// BlockRepeating is Block with subdirectives that may stand several times.
func BlockRepeating(d *caddyfile.Dispenser, subdirectives map[string]Func, repeat ...string) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		read, known := subdirectives[name]
		if !known && len(subdirectives) == 0 {
			return d.Errf("unknown subdirective %q: there are none", name)
		}
		if !known {
			return d.Errf("unknown subdirective %q: it is one of %s", name, strings.Join(names(subdirectives), ", "))
		}
		if seen[name] && !slices.Contains(repeat, name) {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		if err := read(d); err != nil {
			return err
		}
		if d.NextArg() {
			return d.Errf("%s: too many arguments, at %q", name, d.Val())
		}
	}
	return nil
}

func names(subdirectives map[string]Func) []string {
	var ns []string
	for n := range subdirectives {
		ns = append(ns, n)
	}
	slices.Sort(ns)
	return ns
}

// String reads one argument.
func String(p *string) Func {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() || d.Val() == "" {
			return d.Errf("%s: an argument is missing", name)
		}
		*p = d.Val()
		return nil
	}
}

// Name reads the name of a hook.
func Name(p *string) Func {
	return func(d *caddyfile.Dispenser) error {
		if err := String(p)(d); err != nil {
			return err
		}
		if !hook.ValidName(*p) {
			return d.Errf("%q cannot name a hook: use 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and begin with a letter or a digit", *p)
		}
		return nil
	}
}

// Word reads one of the words.
func Word(p *string, words ...string) Func {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if err := String(p)(d); err != nil {
			return err
		}
		if !slices.Contains(words, *p) {
			return d.Errf("%s is one of %s, not %q", name, strings.Join(words, ", "), *p)
		}
		return nil
	}
}

// Count reads a number of at least one.
func Count(p *int) Func {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: a number is missing", name)
		}
		n, err := strconv.Atoi(d.Val())
		if err != nil || n < 1 {
			return d.Errf("%s: %q is not a number of at least 1", name, d.Val())
		}
		*p = n
		return nil
	}
}

// MaxRate is the highest that Rate reads.
const MaxRate = 1_000_000

// Rate reads a number a second, such as 10/s, or off, which is -1.
func Rate(p *int) Func {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: a rate is missing", name)
		}
		if d.Val() == "off" {
			*p = -1
			return nil
		}
		count, perSecond := strings.CutSuffix(d.Val(), "/s")
		n, err := strconv.ParseUint(count, 10, 32)
		if !perSecond || err != nil || n < 1 || n > MaxRate {
			return d.Errf("%s: %q is not a rate such as 10/s, nor off", name, d.Val())
		}
		*p = int(n)
		return nil
	}
}

// Size reads a number of bytes, such as 64KiB.
func Size(p *int64) Func {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: a size is missing", name)
		}
		n, err := humanize.ParseBytes(d.Val())
		if err != nil || n == 0 || n > 1<<62 {
			return d.Errf("%s: %q is not a size of at least 1B, such as 64KiB", name, d.Val())
		}
		*p = int64(n)
		return nil
	}
}

// Time reads a duration of at least a millisecond.
func Time(p *caddy.Duration) Func { return AtLeast(p, time.Millisecond) }

// AtLeast reads a duration of at least least.
func AtLeast(p *caddy.Duration, least time.Duration) Func {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if !d.NextArg() {
			return d.Errf("%s: a duration is missing", name)
		}
		v, err := OptionDuration(d, name, least)
		*p = caddy.Duration(v)
		return err
	}
}

// OptionDuration reads the current token as a duration of at least least, and
// says which option it belongs to where it is none.
func OptionDuration(d *caddyfile.Dispenser, option string, least time.Duration) (time.Duration, error) {
	return duration(d, option+": ", least)
}

// Duration is OptionDuration for an argument of a directive, which Caddy names.
func Duration(d *caddyfile.Dispenser, least time.Duration) (time.Duration, error) {
	return duration(d, "", least)
}

func duration(d *caddyfile.Dispenser, whose string, least time.Duration) (time.Duration, error) {
	v, err := caddy.ParseDuration(d.Val())
	if err != nil {
		return 0, d.Errf("%s%q is not a duration such as 500ms", whose, d.Val())
	}
	if v < least {
		return 0, d.Errf("%s%s is too short: at least %s", whose, d.Val(), least)
	}
	return v, nil
}
