package processtest

// Behaviour names one way to behave badly.
type Behaviour string

// What there is. Arguments in brackets are optional.
const (
	// Living on.
	Sleep        Behaviour = "sleep"         // ready, then nothing, until a signal
	IgnoreTerm   Behaviour = "ignore-term"   // ready, then deaf to SIGTERM
	TermSlowly   Behaviour = "term-slowly"   // ready; on SIGTERM prints "terminating", and exits with 7
	StopSelf     Behaviour = "stop-self"     // ready, then stops itself (SIGSTOP)
	CloseStdout  Behaviour = "close-stdout"  // ready, then closes stdout and stderr and lives on
	NeverReads   Behaviour = "never-reads"   // ready; never looks at its stdin
	Stubborn     Behaviour = "stubborn"      // ready; deaf itself, with a deaf escapee (prints its pid first)
	ForkBomb     Behaviour = "fork-bomb"     // N: forks like a bomb up to N processes, ready when they exist, all deaf to SIGTERM
	Respawn      Behaviour = "respawn"       // N: N chains, each of which forks its successor in a new session and exits, for ever
	Allocate     Behaviour = "allocate"      // N: touches N MiB, ready
	OrphanStream Behaviour = "orphan-stream" // N: leaves N orphans that end at once, ready, sleeps

	// Leaving something behind, and exiting with 0. Each prints the pid of what it leaves.
	Daemon      Behaviour = "daemon"       // forks twice, in a new session, with no descriptor of ours
	Escapee     Behaviour = "escapee"      // one child in a new session
	DeafEscapee Behaviour = "deaf-escapee" // and it ignores SIGTERM
	HoldPipe    Behaviour = "hold-pipe"    // a child in the background with our stdout, stderr and events
	Family      Behaviour = "family"       // N: N children in the background, half of them in sessions of their own

	// Output.
	Flood     Behaviour = "flood"     // N: N bytes of lines on stdout
	LongLine  Behaviour = "long-line" // N: one line of N bytes, without its newline
	Binary    Behaviour = "binary"    // NUL, half of a UTF-8 rune, CRLF, invalid bytes
	Events    Behaviour = "events"    // writes its arguments to the events descriptor, a line each
	Echo      Behaviour = "echo"      // stdin to stdout, to its end
	Arguments Behaviour = "arguments" // its arguments, each ended by NUL
	Environ   Behaviour = "environ"   // its environment, each entry ended by NUL
	Files     Behaviour = "files"     // its open descriptors, a line each: number and target
	Where     Behaviour = "where"     // working directory, session, group, controlling terminal, limits

	// Ending.
	Exit   Behaviour = "exit"   // N: exits with N
	Signal Behaviour = "signal" // N: ends itself by signal N, with the kernel's default action
	Spin   Behaviour = "spin"   // uses a processor until it is stopped
)

var behaviours map[Behaviour]func(args []string)

// In init, since some behaviours run others of this table.
func init() {
	behaviours = map[Behaviour]func([]string){
		Sleep: sleep, IgnoreTerm: ignoreTerm, TermSlowly: termSlowly, StopSelf: stopSelf, CloseStdout: closeStdout,
		NeverReads: sleep, Stubborn: stubborn, ForkBomb: forkBomb, Respawn: respawn, Allocate: allocate, OrphanStream: orphanStream,
		Daemon: daemon, Escapee: escapee, DeafEscapee: deafEscapee, HoldPipe: holdPipe, Family: family,
		Flood: flood, LongLine: longLine, Binary: printBinary, Events: events, Echo: echo,
		Arguments: arguments, Environ: environ, Files: files, Where: where,
		Exit: exitWith, Signal: signalSelf, Spin: spin,
	}
}
