package process

import (
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
	"time"
)

// The socket between worker and shim keeps message boundaries (SOCK_SEQPACKET), so a message is one byte of kind, then
// varints, then for a start the strings, each ended by NUL. Not JSON: it would replace the bytes of an argument
// that is not UTF-8, and an argument must arrive exactly; NUL is the one byte that execve(2) cannot carry anyway.
const (
	msgStart     = 's' // worker: limits, counts; path, name, dir, args, env. Descriptors: stdout, stderr, events, [stdin]
	msgLongStart = 'l' // worker: a start too long for the socket's buffer; one more descriptor, a memory file, holds it
	msgTerminate = 't' // worker: grace in ns
	msgMeasure   = 'm' // worker: what does the tree use?
	msgRefused   = 'r' // shim: step, errno. No process is left
	msgStarted   = 'p' // shim: pid, time
	msgExited    = 'x' // shim: time. Descendants are alive
	msgMeasured  = 'u' // shim: the Usage
	msgGone      = 'g' // shim: the Exit. Nothing is alive
	msgReady     = 'h' // shim that a template forked: its pid, and its engine's. A descriptor that means the shim
	msgLost      = 'd' // such a shim: its engine ended before it was given anything to do
)

// maxInline is well below the socket's default buffer (208 KiB, of which the kernel's own book-keeping takes a part).
const maxInline = 64 << 10

var errMalformed = errors.New("malformed message between worker and shim")

// Where a start was refused.
const (
	refusedExec = iota
	refusedLimit
	refusedReady // the process that was ready is not any more; nothing of the engine ran
)

func encode(kind byte, values ...int64) []byte {
	message := append(make([]byte, 0, 1+len(values)*binary.MaxVarintLen64), kind)
	for _, v := range values {
		message = binary.AppendVarint(message, v)
	}
	return message
}

// decode reads as many values as it is given places for, and returns what follows them.
func decode(body []byte, values ...*int64) ([]byte, error) {
	for _, v := range values {
		n := 0
		if *v, n = binary.Varint(body); n <= 0 {
			return nil, errMalformed
		}
		body = body[n:]
	}
	return body, nil
}

// Flags of a start.
const (
	flagStdin    = 1
	flagTemplate = 2
)

// request is a Command as the shim needs it.
type request struct {
	path, name, dir string // file to execute, argv[0], working directory
	args, env       []string
	limits          Limits
	stdin           bool // a descriptor for it comes along
	template        bool // what it leaves behind when it exits lives on
}

func (r *request) encode() []byte {
	l, flags := r.limits, int64(0)
	if r.stdin {
		flags |= flagStdin
	}
	if r.template {
		flags |= flagTemplate
	}
	message := encode(msgStart, int64(l.OpenFiles), int64(l.FileSize), int64(l.AddressSpace), int64(l.CPUSeconds), int64(l.Processes),
		flags, int64(len(r.args)), int64(len(r.env)))
	for _, group := range [][]string{{r.path, r.name, r.dir}, r.args, r.env} {
		for _, s := range group {
			message = append(append(message, s...), 0)
		}
	}
	return message
}

func decodeRequest(body []byte) (*request, error) {
	var files, size, space, cpu, procs, flags, nargs, nenv int64
	rest, err := decode(body, &files, &size, &space, &cpu, &procs, &flags, &nargs, &nenv)
	if err != nil {
		return nil, err
	}
	s := strings.Split(string(rest), "\x00") // one more than strings: what follows the last NUL
	if most := int64(len(s)); nargs < 0 || nenv < 0 || nargs > most || nenv > most || most != 3+nargs+nenv+1 {
		return nil, errMalformed
	}
	return &request{
		path: s[0], name: s[1], dir: s[2],
		args: s[3 : 3+nargs], env: s[3+nargs : 3+nargs+nenv],
		limits: Limits{uint64(files), uint64(size), uint64(space), uint64(cpu), uint64(procs)},
		stdin:  flags&flagStdin != 0, template: flags&flagTemplate != 0,
	}, nil
}

func (e *Exit) encode() []byte {
	core := int64(0)
	if e.CoreDumped {
		core = 1
	}
	return encode(msgGone, int64(e.Code), int64(e.Signal), core,
		nanos(e.ExitedAt), nanos(e.GoneAt), nanos(e.TermSentAt), nanos(e.KillSentAt),
		int64(e.CPUUser), int64(e.CPUSystem), e.PeakMemory, int64(e.Leftovers))
}

func decodeExit(body []byte) (e Exit, err error) {
	var code, signal, core, exited, gone, term, kill, user, system, left int64
	if _, err := decode(body, &code, &signal, &core, &exited, &gone, &term, &kill, &user, &system, &e.PeakMemory, &left); err != nil {
		return Exit{}, err
	}
	e.Code, e.Signal, e.CoreDumped, e.Leftovers = int(code), syscall.Signal(signal), core == 1, int(left)
	e.ExitedAt, e.GoneAt, e.TermSentAt, e.KillSentAt = instant(exited), instant(gone), instant(term), instant(kill)
	e.CPUUser, e.CPUSystem = time.Duration(user), time.Duration(system)
	return e, nil
}

// nanos and instant carry a time as Unix nanoseconds: both sides share one clock. 0 is the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
