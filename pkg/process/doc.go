// Package process owns one OS process tree: start it, signal it, wait for it, and prove that nothing of it is left.
//
// Between the worker and the engine stands a shim: the worker's own binary, executed again, one per slot and used
// again for the next execution once it has proved that the last one is gone.
//
//	worker ──SEQPACKET──► shim (subreaper, one thread) ──fork+exec──► engine (own session) ──► its descendants
//	   ▲                    │ wait4 gives ECHILD = proof
//	   └── stdout, stderr, events: pipes straight from the engine, which the shim does not hold
//
// The shim is the subreaper of everything below it, so a daemon that forked twice or called setsid(2) is
// re-parented to the shim and to nobody else. While wait4(2) still knows a child, something lives; once it says ECHILD,
// nothing does. That is the only proof [Process.Gone] accepts, except when the shim itself was killed: then the tree is found by
// its EXECUTION_ID in /proc/*/environ and swept.
//
// Who dies with whom:
//
//	worker dies   the shim reads end-of-file on its socket, kills the tree, and exits. It must outlive the worker by those few
//	              milliseconds, so its Pdeathsig is a wake-up (SIGCHLD) and not SIGKILL: that would orphan all but the engine
//	shim dies     the kernel kills the engine (Pdeathsig SIGKILL, set by the shim's one locked thread); the worker sweeps the rest
//	engine dies   the shim sends SIGTERM to what it left behind, then SIGKILL
//
// Not owned here: deadlines, why something was stopped, what the output means, working directories. The reader of a pipe is never waited for.
//
// Goroutines: one per living shim, which reads its socket and ends when the shim is reaped; one per process whose stdin does not fit
// in a pipe, which ends when the process is gone. [Pool.Close] waits for all of them. Linux only.
package process
