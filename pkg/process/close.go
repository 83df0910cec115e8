package process

import (
	"context"
	"fmt"
)

// Close kills every tree, ends every shim and waits for both. When the context ends first, the shims are killed as well, what they
// leave is still swept in the background, and an error says how many there are.
func (p *Pool) Close(ctx context.Context) error {
	for _, s := range p.shut() {
		if !s.terminateCurrent() {
			s.retire()
		}
	}
	select {
	case <-p.empty:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.shims {
		s.kill()
	}
	if len(p.shims) == 0 {
		return nil
	}
	return fmt.Errorf("close process pool: %d shims left: %w", len(p.shims), context.Cause(ctx))
}

// shut lets nothing new in, and lists what is there.
func (p *Pool) shut() []*shim {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.closing)
		if len(p.shims) == 0 {
			close(p.empty)
		}
	}
	p.idle = nil
	all := make([]*shim, 0, len(p.shims))
	for s := range p.shims {
		all = append(all, s)
	}
	return all
}
