package process

// What tests may see, and nobody else.

func ShimPID(p *Process) int { return p.shim.os.PID() }

func (p *Pool) Shims() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shims)
}

// ForgetMain makes the program one that has not called Main.
func ForgetMain() { mainCalled.Store(false) }
