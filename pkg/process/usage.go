package process

import (
	"os"
	"strconv"
	"time"
)

// Usage is what a tree uses at one moment.
type Usage struct {
	At        time.Time
	CPU       time.Duration // user and system, so far, of those too that somebody has waited for
	Memory    int64         // bytes, resident; see [sampler]
	Processes int
}

// Measure asks for the Usage of the tree, which comes on Measured a moment later,
// unless the tree ends before. It never blocks; while one is asked for, another is not.
func (p *Process) Measure() {
	if p.measuring.CompareAndSwap(false, true) && !p.shim.measure(p) {
		p.measuring.Store(false)
	}
}

// Measured gives what was asked for by Measure.
func (p *Process) Measured() <-chan Usage { return p.measured }

func (s *shim) measure(p *Process) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == p && s.send(encode(msgMeasure)) == nil
}

// answerMeasure is called by the shim's goroutine only, once for each that was asked for.
func (p *Process) answerMeasure(u Usage) {
	p.measuring.Store(false)
	select {
	case p.measured <- u:
	default: // nobody has taken the last one
	}
}

// usage is the tree's at this moment.
func (t *tree) usage() Usage {
	u := walk()
	u.CPU += t.exit.CPUUser + t.exit.CPUSystem
	return u
}

func (u *Usage) encode() []byte {
	return encode(msgMeasured, nanos(u.At), int64(u.CPU), u.Memory, int64(u.Processes))
}

func decodeUsage(body []byte) (u Usage, err error) {
	var at, cpu, processes int64
	if _, err = decode(body, &at, &cpu, &u.Memory, &processes); err != nil {
		return Usage{}, err
	}
	u.At, u.CPU, u.Processes = instant(at), time.Duration(cpu), int(processes)
	return u, nil
}

// Fields of /proc/<pid>/stat as statFields counts them (proc_pid_stat(5)).
const (
	statTimes    = 11 // utime, stime, cutime, cstime
	statResident = 21 // pages
)

// tick is the unit of those times on every Linux: USER_HZ is 100.
const tick = 10 * time.Millisecond

// walk measures everything below us. What has ended and was not waited for counts with its time alone.
func walk() Usage {
	u := Usage{At: time.Now()}
	queue := childrenOf(os.Getpid())
	for len(queue) > 0 {
		pid := queue[0]
		queue = append(queue[1:], childrenOf(pid)...)
		stat := statFields(pid)
		if len(stat) <= statResident {
			continue
		}
		for _, field := range stat[statTimes : statTimes+4] {
			n, _ := strconv.ParseInt(string(field), 10, 64)
			u.CPU += time.Duration(n) * tick
		}
		if stat[0][0] == 'Z' {
			continue
		}
		pages, _ := strconv.ParseInt(string(stat[statResident]), 10, 64)
		u.Memory += pages * int64(os.Getpagesize())
		u.Processes++
	}
	return u
}
