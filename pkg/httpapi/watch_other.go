//go:build !linux

package httpapi

// watch is there on Linux only. Elsewhere a client's going shows with the next
// keep-alives.
type watch struct{}

func newWatch(func(func())) *watch { return nil }

func (*watch) add(*direct) {}

func (*watch) remove(*direct, bool) {}
