//go:build !linux

package app

func (*handover) stop() {}
