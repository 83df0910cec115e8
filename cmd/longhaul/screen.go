package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"
)

// screen writes an engine's output, and below it, on a terminal, a few lines
// about how it goes. They are taken away before anything else is written, and
// are not there while the engine is in the middle of a line.
type screen struct {
	mu       sync.Mutex // guards all below
	out, err io.Writer
	width    func() int    // of the terminal; nil: there is none
	shared   bool          // out goes to the same terminal as err
	lines    func() string // what stands below
	shown    int           // lines that stand there now
	midline  bool          // the last byte on the terminal was no end of a line
}

func newScreen(out, err io.Writer) *screen {
	s := &screen{out: out, err: err}
	if isTerminal(err) {
		s.width, s.shared = func() int { return widthOf(err) }, isTerminal(out)
	}
	return s
}

// live says that there are lines below.
func (s *screen) live() bool { return s.width != nil }

// write passes a chunk of the engine's on.
func (s *screen) write(toErr bool, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, onTerminal := s.out, s.shared
	if toErr {
		w, onTerminal = s.err, s.live()
	}
	if !onTerminal || len(p) == 0 {
		_, err := w.Write(p)
		return err
	}
	s.put(s.cleared())
	_, err := w.Write(p)
	s.midline = p[len(p)-1] != '\n'
	s.put(s.drawn())
	return err
}

// say writes a line of ours to stderr.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.cleared()
	if s.midline {
		text += "\n"
		s.midline = false
	}
	text += faint.Render("longhaul:") + " " + fmt.Sprintf(format, args...) + "\n"
	s.put(text + s.drawn())
}

// put writes to stderr at once, so that nothing flickers, in the colours that it has.
func (s *screen) put(text string) {
	if text != "" {
		_, _ = lipgloss.Fprint(s.err, text) // a terminal that has gone needs no lines
	}
}

// cleared takes the lines below away. Call it with mu held, and put what it gives.
func (s *screen) cleared() string {
	if s.shown == 0 {
		return ""
	}
	up := s.shown
	s.shown = 0
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", up)
}

// drawn puts them there again, over what is left of them. Call it with mu held.
func (s *screen) drawn() string {
	if !s.live() || s.lines == nil || s.midline {
		return ""
	}
	var b strings.Builder
	if s.shown > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", s.shown)
		s.shown = 0
	}
	width := max(s.width()-1, 20) // a full line would wrap on some terminals
	for line := range strings.Lines(s.lines()) {
		b.WriteString(lipgloss.NewStyle().MaxWidth(width).Render(strings.TrimRight(line, "\n")) + "\x1b[K\n")
		s.shown++
	}
	return b.String() + "\x1b[J"
}

// run keeps the clock in the lines below going until the function that it
// returns is called, which takes them away.
func (s *screen) run(lines func() string) (end func()) {
	if !s.live() {
		return func() {}
	}
	s.mu.Lock()
	s.lines = lines
	s.put(s.drawn())
	s.mu.Unlock()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second / 4)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				s.refresh()
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lines = nil
		s.put(s.cleared())
	}
}

func (s *screen) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(s.drawn())
}
