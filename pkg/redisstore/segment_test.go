package redisstore

import (
	"reflect"
	"testing"
)

func FuzzASegmentIsWholeOrRefused(f *testing.F) {
	entries := []entry{{1, 3, encBatch, "abc"}, {4, 4, encJSON, "{}"}, {9, 20, encGap, ""}}
	ref, data := encodeSegment(entries)
	f.Add(data)
	f.Add([]byte(segmentMagic))
	got, err := decodeSegment(data, ref)
	if err != nil || !reflect.DeepEqual(got, entries) {
		f.Fatalf("%+v, %v", got, err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeSegment(b, ref)
		if err != nil {
			return
		}
		if again, back := encodeSegment(got); again != ref || string(back) != string(b) && string(b) == string(data) {
			t.Errorf("%+v is not what it was read from", got)
		}
	})
}
