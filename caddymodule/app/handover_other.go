//go:build !linux

package app

import "github.com/caddyserver/caddy/v2/modules/caddyhttp"

func (*handover) stop([]*caddyhttp.Server) {}
