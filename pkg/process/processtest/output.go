package processtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// BinaryOutput is what Binary prints: NUL, CRLF, a lone CR, half of a rune, bytes that are no UTF-8, the rest of that rune.
const BinaryOutput = "nul\x00nul\r\nlone\rcr\nhalf \xe2\x82|\xff\xfe\n\xe2\x82\xac no newline at the end \xc3"

// FloodLine is what Flood repeats, and cuts at the size asked for.
const FloodLine = "the quick brown fox jumps over the lazy dog, again and again, 80 bytes to a line\n"

func flood(args []string) {
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	for left := number(args); left > 0; {
		n, err := out.WriteString(FloodLine[:min(left, len(FloodLine))])
		if err != nil {
			exit(1)
		}
		left -= n
	}
	_ = out.Flush()
}

func longLine(args []string) {
	_, _ = os.Stdout.Write(bytes.Repeat([]byte{'x'}, number(args)))
}

func printBinary([]string) {
	for i := range len(BinaryOutput) { // a write per byte: nothing may depend on where a write ends
		_, _ = os.Stdout.WriteString(BinaryOutput[i : i+1])
	}
}

func events(args []string) {
	fd, err := strconv.Atoi(os.Getenv("EXECUTION_EVENTS_FD"))
	if err != nil {
		fd = 3
	}
	f := os.NewFile(uintptr(fd), "events")
	for _, line := range args {
		if _, err := fmt.Fprintln(f, line); err != nil {
			fmt.Fprintln(os.Stderr, "badchild:", err)
			exit(1)
		}
	}
}

func echo([]string) {
	if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "badchild:", err)
		exit(1)
	}
}

func arguments(args []string) {
	for _, arg := range args {
		fmt.Print(arg, "\x00")
	}
}

func environ([]string) {
	raw, _ := os.ReadFile("/proc/self/environ") // not os.Environ, which drops what is there twice
	_, _ = os.Stdout.Write(raw)
}

// files lists what was inherited: the runtime's own descriptors are close-on-exec, and so left out.
func files([]string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name())
		fmt.Println(fd, target)
	}
}

func where([]string) {
	dir, _ := os.Getwd()
	session, _ := unix.Getsid(0)
	_, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	fmt.Printf("dir=%s pid=%d session=%d group=%d terminal=%v\n", dir, os.Getpid(), session, syscall.Getpgrp(), err == nil)
	limits, _ := os.ReadFile("/proc/self/limits")
	_, _ = os.Stdout.Write(limits)
}
