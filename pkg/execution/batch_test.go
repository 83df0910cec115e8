package execution

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// at is an instant as a batch keeps it: to the millisecond, in UTC.
var at = time.UnixMilli(1762548673499).UTC()

func TestABatchGivesBackItsEventsNumberedFromTheFirst(t *testing.T) {
	events := []Event{
		{Type: EventStatus, Time: at, Attempt: 1, Data: []byte(`{"status":"running"}`)},
		{Type: EventLog, Stream: Stdout, Time: at, Attempt: 1, Bytes: []byte("line\n\x00\xff")},
		{Type: EventLog, Stream: Stderr, Time: at.Add(time.Millisecond), Attempt: 1 << 30, Bytes: []byte{}},
		{Type: "of.its_own-kind", Time: at, Data: []byte{}},
		{Type: EventLog, Stream: Stdout, Time: at, Attempt: 2, Bytes: bytes.Repeat([]byte("x"), 1<<17)},
		{Type: EventEnd, Time: time.UnixMilli(0).UTC(), Attempt: 2, Data: []byte(`{}`)},
	}
	var b []byte
	for i := range events {
		b = AppendEvent(b, &events[i])
		events[i].Seq = Cursor(41 + i)
	}
	got, err := DecodeBatch(b, 41)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, events) {
		t.Errorf("%+v", got)
	}
	if got, err := DecodeBatch(nil, 1); len(got) != 0 || err != nil {
		t.Errorf("an empty batch: %v, %v", got, err)
	}
}

func TestADamagedBatchIsAnErrorAndNoPanic(t *testing.T) {
	whole := AppendEvent(nil, &Event{Type: EventAgent, Time: at, Attempt: 300, Data: []byte(`{"name":"x"}`)})
	for n := 1; n < len(whole); n++ {
		if _, err := DecodeBatch(whole[:n], 1); !errors.Is(err, errBatch) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	for _, b := range []string{
		"\x03\x00\x00\x00", // no such kind
		"\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",                  // a length beyond any memory
		"\x01" + strings.Repeat("\xff", 11),                                     // a number that never ends
		"\x00\x00\x00\x05ab",                                                    // a type longer than the batch
		string(AppendEvent(nil, &Event{Stream: Stdout, Time: at})) + "\x01\x00", // a whole event, then half of one
	} {
		if got, err := DecodeBatch([]byte(b), 1); !errors.Is(err, errBatch) || got != nil {
			t.Errorf("%q: %v, %v", b, got, err)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(AppendEvent(nil, &Event{Type: EventProgress, Time: at, Attempt: 1, Data: []byte(`{"percent":1}`)}))
	f.Add(AppendEvent(nil, &Event{Type: EventLog, Stream: Stderr, Time: at, Attempt: 2, Bytes: []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := DecodeBatch(b, 7)
		if err != nil {
			return
		}
		var again []byte
		for i := range events {
			again = AppendEvent(again, &events[i])
		}
		// Not b itself: a number may be written in more bytes than it needs.
		got, err := DecodeBatch(again, 7)
		if err != nil || !reflect.DeepEqual(got, events) {
			t.Errorf("%q: %v, then %v, %v", b, events, got, err)
		}
	})
}
