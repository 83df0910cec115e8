// Package lines is the language between the engine of the fault suite and its
// history checker: numbered lines with checksums, so that every byte that is
// lost, doubled, reordered or changed on its way shows.
package lines

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
)

// Least is the shortest line that has room for its numbers.
const Least = 40

// Append adds line n of an attempt's stream ('o' or 'e'), size bytes long with
// its newline: "o 1 17 xxxx 89abcdef\n". The checksum covers all before it.
func Append(dst []byte, stream byte, attempt, n, size int) []byte {
	start := len(dst)
	dst = append(dst, stream, ' ')
	dst = strconv.AppendInt(dst, int64(attempt), 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, ' ')
	for len(dst)-start < size-10 {
		dst = append(dst, 'x')
	}
	return fmt.Appendf(dst, " %08x\n", crc32.ChecksumIEEE(dst[start:]))
}

// Checker reads one stream of one attempt, in any pieces, and finds what is wrong.
type Checker struct {
	Stream  byte
	Attempt int
	Last    int   // number of the newest whole line
	Skipped int   // lines that a gap has taken
	Bytes   int64 // seen

	rest    []byte // of a line that is not whole yet
	resync  bool   // the next line may have lost its beginning
	problem string
}

// Gap says that bytes are known to be missing here: the lines go on with a later number.
func (c *Checker) Gap() { c.rest, c.resync = nil, true }

// Problem is the first thing that was wrong, or "".
func (c *Checker) Problem() string { return c.problem }

// Partial is the number of bytes after the newest whole line.
func (c *Checker) Partial() int { return len(c.rest) }

// Write takes the next bytes. It never fails: see Problem.
func (c *Checker) Write(p []byte) (int, error) {
	c.Bytes += int64(len(p))
	all := p
	if len(c.rest) > 0 {
		all = append(c.rest, p...)
	}
	for c.problem == "" {
		line, rest, found := bytes.Cut(all, []byte{'\n'})
		if !found {
			break
		}
		c.line(line)
		all = rest
	}
	c.rest = append([]byte(nil), all...)
	return len(p), nil
}

func (c *Checker) line(line []byte) {
	after := c.resync
	n, err := c.parse(line)
	switch {
	case err != nil && after:
		return // the rest of a line that began in the gap; the next one is whole
	case err != nil:
		c.problem = fmt.Sprintf("after line %d: %v", c.Last, err)
		return
	case after && n > c.Last:
		c.Skipped += n - c.Last - 1
	case n != c.Last+1:
		c.problem = fmt.Sprintf("line %d follows line %d", n, c.Last)
		return
	}
	c.resync = false
	c.Last = n
}

func (c *Checker) parse(line []byte) (int, error) {
	cut := bytes.LastIndexByte(line, ' ')
	if cut < 0 {
		return 0, fmt.Errorf("no line of an engine: %.80q", line)
	}
	if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(line[:cut])); sum != string(line[cut+1:]) {
		return 0, fmt.Errorf("a line with a wrong checksum: %.80q", line)
	}
	var stream string
	var attempt, n int
	if _, err := fmt.Sscanf(string(line[:cut]), "%s %d %d", &stream, &attempt, &n); err != nil {
		return 0, fmt.Errorf("a line without numbers: %.80q", line)
	}
	if stream != string(c.Stream) || attempt != c.Attempt {
		return 0, fmt.Errorf("a line of stream %s of attempt %d among those of %c of %d", stream, attempt, c.Stream, c.Attempt)
	}
	return n, nil
}
