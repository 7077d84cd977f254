//go:build !linux

package probe

func processes() []Process { return nil }
