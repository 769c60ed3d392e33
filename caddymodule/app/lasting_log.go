package app

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// lasting returns the logger of what outlives the config that has opened it: it
// writes where the config says that runs. While none does, it writes to its own.
func lasting(logger *zap.Logger) *zap.Logger {
	if logger == nil {
		return nil
	}
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return &lastingCore{own: core} }))
}

// lastingCore looks for the running config at each line. What outlives a config
// writes few.
type lastingCore struct {
	own    zapcore.Core
	fields []zapcore.Field
}

func (c *lastingCore) now() zapcore.Core {
	core := c.own
	if rt, err := Active(); err == nil {
		core = rt.logger.Core()
	}
	return core.With(c.fields)
}

// Enabled implements zapcore.Core.
func (c *lastingCore) Enabled(level zapcore.Level) bool { return c.now().Enabled(level) }

// With implements zapcore.Core.
func (c *lastingCore) With(fields []zapcore.Field) zapcore.Core {
	return &lastingCore{own: c.own, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check implements zapcore.Core.
func (c *lastingCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return c.now().Check(entry, checked)
}

// Write implements zapcore.Core. It is not used where Check names another core.
func (c *lastingCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	return c.now().Write(entry, fields)
}

// Sync implements zapcore.Core.
func (c *lastingCore) Sync() error { return c.now().Sync() }

// Interface guard
var _ zapcore.Core = (*lastingCore)(nil)
