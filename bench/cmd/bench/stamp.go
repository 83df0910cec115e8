package main

import (
	"context"
	"os/exec"
	"path/filepath"
)

// What pickup starts is told with its figures: a Go program has a runtime of its
// own before its first statement, which is no system's fault.
const stampC, stampGo = "stamp, in C", "probe, in Go"

// buildStamp compiles stamp.c, static, where there is a compiler that can.
func (s *session) buildStamp(ctx context.Context) {
	cmd := exec.CommandContext(ctx, "cc", "-O2", "-static", "-o", filepath.Join(s.bin, "stamp"), "./bench/cmd/stamp/stamp.c")
	if s.stamper = stampC; cmd.Run() != nil {
		s.stamper = stampGo
	}
}

// stamp is the program that writes the instant of its own start to a file; every
// system starts the same one.
func (s *session) stamp(file string) program {
	if s.stamper == stampC {
		return program{"stamp", []string{file}}
	}
	return probe("stamp", file)
}
