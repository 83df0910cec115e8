package logstream

// shortTail is what Flush may release of an undecided end: fewer bytes than
// this of a secret tell nothing.
const shortTail = 4

// Stream redacts one stream of bytes that comes in pieces. It holds back an
// end that may be the beginning of a secret, and nothing else; never more than
// the longest secret or the window of a token. It is for one goroutine at a
// time. The bytes that its methods return are valid until the next call.
type Stream struct {
	r *Redactor

	buf    []byte  // what is undecided, then what came last
	done   int     // so many bytes of buf are over; they go when the next call begins
	sent   int     // so many behind them were released already, by Flush
	before [2]byte // the bytes before buf

	masked  bool    // the last byte released was masked
	covered int     // buf[:covered] is masked: what was found there began before buf
	goes    classes // and what belongs to it when it follows

	scan scan
	out  []byte
}

// Stream begins a stream.
func (r *Redactor) Stream() *Stream { return &Stream{r: r} }

// Held is how many bytes have come and not been released.
func (s *Stream) Held() int { return len(s.buf) - s.done - s.sent }

// Write takes the next bytes and gives what is safe to release.
func (s *Stream) Write(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	s.forget()
	s.buf = append(s.buf, p...)
	hold := s.look(false)
	return s.release(hold, hold)
}

// Flush is for a pause: a few undecided bytes are released, since somebody may
// be waiting for them (a prompt, a token of a language model), and still count
// when more comes. A longer beginning of a secret stays.
func (s *Stream) Flush() []byte {
	if s.Held() == 0 {
		return nil
	}
	s.forget()
	hold := s.look(false)
	if len(s.buf)-hold < shortTail {
		return s.release(hold, len(s.buf))
	}
	return s.release(hold, hold)
}

// Close is for the end: it gives all that is left.
func (s *Stream) Close() []byte {
	s.forget()
	s.look(true)
	return s.release(len(s.buf), len(s.buf))
}

// look finds the secrets in buf and says from where on it is undecided.
func (s *Stream) look(final bool) (hold int) {
	for s.goes != 0 && s.covered < len(s.buf) {
		if s.goes &= classOf[s.buf[s.covered]]; s.goes != 0 {
			s.covered++
		}
	}
	s.scan = scan{b: s.buf, before: s.before, final: final, spans: s.scan.spans[:0]}
	if s.covered > 0 {
		s.scan.spans = append(s.scan.spans, span{-1, s.covered, s.goes})
	}
	s.r.matcher.Load().scan(&s.scan)
	return s.scan.hold
}

// release gives buf up to `to`, masked, and forgets it up to hold.
func (s *Stream) release(hold, to int) []byte {
	from, spans := s.sent, s.scan.sorted()
	to = max(to, from)
	var out []byte
	switch {
	case from == to:
	case len(spans) == 0:
		out, s.masked = s.buf[from:to], false
	default:
		s.out, s.masked = mask(s.out[:0], s.buf, from, to, spans, s.masked)
		out = s.out
	}
	s.covered, s.goes = 0, 0
	for _, f := range spans {
		if f.from < hold && f.to >= hold { // else it is found again, or over
			s.covered = max(s.covered, f.to-hold)
			if f.to == len(s.buf) {
				s.goes |= f.goes
			}
		}
	}
	s.done, s.sent = hold, to-hold
	return out
}

// forget drops from buf what is over.
func (s *Stream) forget() {
	switch s.done {
	case 0:
		return
	case 1:
		s.before = [2]byte{s.before[1], s.buf[0]}
	default:
		s.before = [2]byte(s.buf[s.done-2 : s.done])
	}
	s.buf = s.buf[:copy(s.buf, s.buf[s.done:])]
	s.done = 0
}
