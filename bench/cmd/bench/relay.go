package main

import (
	"bytes"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// relay stands between Longhaul and Redis and holds every byte up for a while,
// in each direction: a Redis that is further away. It forwards in time, so a
// delay does not slow what is in the air together.
func relay(target string, delay time.Duration) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", target)
			if err != nil {
				_ = from.Close()
				continue
			}
			go forward(to, from, delay)
			go forward(from, to, delay)
		}
	}()
	return l, nil
}

// holdUntil is as exact as the kernel's timers. Those of a Go program that sleeps count whole milliseconds.
func holdUntil(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		ts := unix.NsecToTimespec(int64(left))
		_ = unix.Nanosleep(&ts, nil) // again where a signal has come
	}
}

// forward ends both connections when one has ended.
func forward(to io.WriteCloser, from io.ReadCloser, delay time.Duration) {
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		var err error
		for p := range pieces {
			if err != nil {
				continue // until the reader has seen that it is over
			}
			holdUntil(p.due)
			if _, err = to.Write(p.data); err != nil {
				_ = from.Close()
			}
		}
		_ = to.Close()
	}()
	defer close(pieces)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			pieces <- piece{bytes.Clone(buf[:n]), time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}
