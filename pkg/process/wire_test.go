package process

import (
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestARequestComesOutAsItWentIn(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]request{
		"the least": {path: "/bin/true", name: "true"},
		"all of it": {
			path: "/bin/\xff", name: "\n", dir: "/", args: []string{"", "a b", "\xc3", ""}, env: []string{"", "A=1", "A=1"},
			limits: Limits{OpenFiles: 1, FileSize: 1 << 40, AddressSpace: 1<<63 - 1, CPUSeconds: 7, Processes: 1<<64 - 1}, stdin: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decodeRequest(r.encode()[1:])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.args, r.args) || !slices.Equal(got.env, r.env) {
				t.Errorf("got %q and %q", got.args, got.env)
			}
			got.args, got.env = r.args, r.env // nil or empty is the same
			if !reflect.DeepEqual(*got, r) {
				t.Errorf("got %+v, want %+v", *got, r)
			}
		})
	}
}

func TestAnExitComesOutAsItWentIn(t *testing.T) {
	t.Parallel()
	at := func(ns int64) time.Time { return time.Unix(0, ns) }
	for _, want := range []Exit{
		{},
		{
			Code: -1, Signal: syscall.SIGSEGV, CoreDumped: true, ExitedAt: at(1), GoneAt: at(2), TermSentAt: at(3), KillSentAt: at(4),
			CPUUser: 5, CPUSystem: 6, PeakMemory: 1 << 40, Leftovers: 2000,
		},
	} {
		message := want.encode()
		if len(message) > 128 {
			t.Errorf("%d bytes: the worker reads no more than 512", len(message))
		}
		if got, err := decodeExit(message[1:]); err != nil || got != want {
			t.Errorf("got %+v (%v), want %+v", got, err, want)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	whole := (&request{path: "a", name: "b", args: []string{"c"}, env: []string{"d"}}).encode()[1:]
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(encode(msgStart, 0, 0, 0, 0, 0, 0, 1<<63-1, 1<<63-1)[1:])
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeRequest(body)
		if err != nil {
			return
		}
		if strings.ContainsRune(r.path+r.name+r.dir+strings.Join(r.args, "")+strings.Join(r.env, ""), 0) {
			t.Error("a string holds the separator")
		}
		again, err := decodeRequest(r.encode()[1:])
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("got %+v (%v), want %+v", again, err, r)
		}
	})
}
