package parse

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// Checked reads what read does, and holds the settings against a rule that does
// not depend on what follows, so that the error has the line that breaks it.
func Checked(read Func, rule func() error) Func {
	return func(d *caddyfile.Dispenser) error {
		if err := read(d); err != nil {
			return err
		}
		if err := rule(); err != nil {
			return d.WrapErr(err)
		}
		return nil
	}
}

// Lines remembers where subdirectives stand. Whether some of them go together is
// known at the end of a block only, and the error is about one of them.
type Lines map[string]caddyfile.Dispenser

// Note returns the subdirectives, which are remembered when they are read.
func (l Lines) Note(subdirectives map[string]Func) map[string]Func {
	noted := make(map[string]Func, len(subdirectives))
	for name, read := range subdirectives {
		noted[name] = func(d *caddyfile.Dispenser) error {
			l[name] = *d
			return read(d)
		}
	}
	return noted
}

// At returns the place of the first of the names that stands in the block, else
// of the block itself.
func (l Lines) At(block *caddyfile.Dispenser, names ...string) *caddyfile.Dispenser {
	for _, name := range names {
		if d, ok := l[name]; ok {
			return &d
		}
	}
	return block
}
