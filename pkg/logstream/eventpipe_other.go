//go:build !linux

package logstream

import (
	"io"
	"syscall"
)

// Engines run on Linux only; elsewhere the package just has to build.
func askable(io.Reader) syscall.RawConn { return nil }

func unread(uintptr) int64 { return 0 }
