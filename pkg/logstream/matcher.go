package logstream

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// matcher finds literals and token forms in text. It never changes.
//
// Most text holds no secret, so the work is to say so fast. Every pattern has
// three bytes at least; wherever it begins, one of its first two pairs of bytes
// lies at an even offset. So one look at every other offset, into a table of
// pairs that stays in the first-level cache, rules out nearly everything; what
// is left is looked up by three bytes, and then compared. No automaton: a dense
// one for some secrets in all their variants has megabytes, takes milliseconds
// to build at each Add, and steps byte by byte (each waits for the last), which
// caps it at a quarter of this.
//
// Measured on log lines without a hit (one core of a 2-core cloud machine; see
// BenchmarkRedactor): 2.6 GB/s with no secret or ten, 1.2 GB/s with a hundred;
// 1.5 GB/s where every line holds one; 34 GB/s is what copying the text takes.
type matcher struct {
	pairs    [1 << 16]uint8 // by two bytes, little-endian: what a pattern may have there
	first    [256]uint8     // by one byte: the same for the last byte of a text
	heads    []int32        // by hash of three bytes: the first of the patterns that begin so, + 1
	shift    uint           // of that hash
	patterns []pattern
}

// What a pair of bytes can be.
const (
	beginsLiteral = 1 << iota // bytes 0 and 1 of a literal
	beginsForm                // bytes 0 and 1 of a token form
	goesOn                    // bytes 1 and 2 of either
)

type pattern struct {
	text string // a literal, or what a form begins with
	form *form  // nil for a literal
	next int32  // the next with the same hash, + 1
}

func newMatcher(literals []string) *matcher {
	m := &matcher{shift: 32 - 12}
	for 1<<(32-m.shift) < 8*(len(literals)+len(forms)) {
		m.shift--
	}
	m.heads = make([]int32, 1<<(32-m.shift))
	m.patterns = make([]pattern, 0, len(literals)+len(forms))
	for _, text := range literals {
		m.add(pattern{text: text}, beginsLiteral)
	}
	for i := range forms {
		m.add(pattern{text: forms[i].begin, form: &forms[i]}, beginsForm)
	}
	return m
}

func (m *matcher) add(p pattern, begins uint8) {
	h := m.hash(p.text[0], p.text[1], p.text[2])
	p.next = m.heads[h]
	m.patterns = append(m.patterns, p)
	m.heads[h] = int32(len(m.patterns))
	m.first[p.text[0]] |= begins
	m.pairs[pair(p.text[0], p.text[1])] |= begins
	m.pairs[pair(p.text[1], p.text[2])] |= goesOn
}

func pair(a, b byte) uint16 { return uint16(a) | uint16(b)<<8 }

func (m *matcher) hash(a, b, c byte) uint32 {
	return (uint32(a) | uint32(b)<<8 | uint32(c)<<16) * 0x9E3779B1 >> m.shift // Knuth's multiplicative hash
}

// span is a part of a text that must be masked.
type span struct {
	from, to int
	goes     classes // what may follow and belongs to it, when it ends with the text
}

// scan is one look at a text.
type scan struct {
	b      []byte
	before [2]byte // the two bytes before b
	final  bool    // nothing follows b

	spans []span
	hold  int // from here on b may be the beginning of a secret; len(b) if not
	done  [numForms]int
}

// sorted gives the spans by their beginning.
func (s *scan) sorted() []span {
	slices.SortFunc(s.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	return s.spans
}

// prev gives the two bytes before b[i].
func (s *scan) prev(i int) (far, near byte) {
	switch i {
	case 0:
		return s.before[0], s.before[1]
	case 1:
		return s.before[1], s.b[0]
	}
	return s.b[i-2], s.b[i-1]
}

// scan fills in s.spans and s.hold.
func (m *matcher) scan(s *scan) {
	b := s.b
	s.hold = len(b)
	i := 0
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		if m.pairs[uint16(v)]|m.pairs[uint16(v>>16)]|m.pairs[uint16(v>>32)]|m.pairs[uint16(v>>48)] != 0 {
			m.block(s, i, v)
		}
	}
	for i = max(i-1, 0); i+3 <= len(b); i++ {
		if m.pairs[pair(b[i], b[i+1])]&(beginsLiteral|beginsForm) != 0 {
			m.try(s, i)
		}
	}
	if !s.final {
		m.tryEnd(s)
	}
}

// block looks closer at the 8 bytes v of the text from i on.
func (m *matcher) block(s *scan, i int, v uint64) {
	for end := i + 8; i < end; i, v = i+2, v>>16 {
		what := m.pairs[uint16(v)]
		if what&goesOn != 0 && i > 0 {
			m.try(s, i-1)
		}
		if what&(beginsLiteral|beginsForm) != 0 && i+3 <= len(s.b) {
			m.try(s, i)
		}
	}
}

// try looks for patterns at s.b[i:], which has three bytes at least.
func (m *matcher) try(s *scan, i int) {
	b := s.b[i:]
	for n := m.heads[m.hash(b[0], b[1], b[2])]; n != 0; {
		p := &m.patterns[n-1]
		n = p.next
		switch {
		case len(p.text) > len(b):
			if !s.final && p.text[:len(b)] == string(b) && (p.form == nil || p.form.mayBegin(s.prev(i))) {
				s.hold = min(s.hold, i)
			}
		case p.text != string(b[:len(p.text)]):
		case p.form == nil:
			s.spans = append(s.spans, span{from: i, to: i + len(p.text)})
		case i >= s.done[p.form.no] && p.form.mayBegin(s.prev(i)):
			s.form(p.form, i)
		}
	}
}

// form looks whether what begins at i is a token.
func (s *scan) form(f *form, i int) {
	from, to, goes, v := f.match(f, s.b[i:], s.final)
	switch v {
	case partly:
		s.hold = min(s.hold, i)
	case wholly:
		s.spans = append(s.spans, span{from: i + from, to: i + to, goes: goes})
		s.done[f.no] = i + to // whatever of this form begins within it ends with it
	}
}

// tryEnd looks whether the last two bytes, or the last one, may begin a secret.
func (m *matcher) tryEnd(s *scan) {
	for n := 2; n > 0; n-- {
		i := len(s.b) - n
		if i < 0 || i >= s.hold {
			continue
		}
		what := m.first[s.b[i]]
		if n == 2 {
			what = m.pairs[pair(s.b[i], s.b[i+1])]
		}
		if what&beginsLiteral != 0 || what&beginsForm != 0 && formBegins(s, i) {
			s.hold = i
		}
	}
}

func formBegins(s *scan, i int) bool {
	for f := range forms {
		if n := len(s.b) - i; forms[f].begin[:n] == string(s.b[i:]) && forms[f].mayBegin(s.prev(i)) {
			return true
		}
	}
	return false
}
