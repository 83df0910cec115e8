package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Archive keeps parts of logs outside Redis: an artifact store.
type Archive interface {
	Put(ctx context.Context, id execution.ID, name string, data []byte) error
	// Get fails with an error of code NotFound when there is no such thing.
	Get(ctx context.Context, id execution.ID, name string) ([]byte, error)
	// Delete takes out all that is kept of an execution.
	Delete(ctx context.Context, id execution.ID) error
}

// A segment is an object of the archive: entries of an execution's log, as the
// stream had them but joined to larger ones (see packer), with their numbers.
// All integers are uvarints.
//
//	"lhs1"
//	for each entry: last, number of events, length of the encoding, encoding, length of the data, data
//	CRC-32C of all that, 4 bytes, little endian
//
// Which segments there are, Redis knows: the index lh:{p}:seg:<id>.
const segmentMagic = "lhs1"

// segmentBytes is about the size of a segment. It is read as a whole, so it is
// also what one reader far behind costs in memory.
const segmentBytes = 1 << 20

// MaxSegment is more than any segment has: what an Archive need not read beyond.
const MaxSegment = 64 << 20

// archiveTimeout bounds one Put or Get.
const archiveTimeout = 20 * time.Second

// segmentRef names a segment by the numbers of its first and last event.
type segmentRef struct{ first, last execution.Cursor }

func (r segmentRef) String() string { return r.first.String() + "-" + r.last.String() }

// name of the object, below the execution's id.
func (r segmentRef) name() string { return "log/" + r.String() + ".seg" }

func parseSegmentRef(s string) (segmentRef, error) {
	a, b, _ := strings.Cut(s, "-")
	first, err := strconv.ParseUint(a, 10, 64)
	last, err2 := strconv.ParseUint(b, 10, 64)
	if err = errors.Join(err, err2); err != nil || first == 0 || first > last {
		return segmentRef{}, fmt.Errorf("segment %q is none", s)
	}
	return segmentRef{execution.Cursor(first), execution.Cursor(last)}, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeSegment needs at least one entry.
func encodeSegment(entries []entry) (segmentRef, []byte) {
	b := []byte(segmentMagic)
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.last))
		b = binary.AppendUvarint(b, uint64(e.last-e.first+1))
		for _, s := range []string{e.enc, e.data} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	return segmentRef{entries[0].first, entries[len(entries)-1].last}, binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var errSegment = errors.New("redisstore: a segment of the log is damaged")

func decodeSegment(b []byte, ref segmentRef) ([]entry, error) {
	n := len(b) - crc32.Size
	if n < len(segmentMagic) || string(b[:len(segmentMagic)]) != segmentMagic || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, errSegment
	}
	var entries []entry
	for b = b[len(segmentMagic):n]; len(b) > 0; {
		var numbers [2]uint64
		for i := range numbers {
			v, k := binary.Uvarint(b)
			if k <= 0 {
				return nil, errSegment
			}
			numbers[i], b = v, b[k:]
		}
		var texts [2]string
		for i := range texts {
			v, k := binary.Uvarint(b)
			if k <= 0 || v > uint64(len(b)-k) {
				return nil, errSegment
			}
			texts[i], b = string(b[k:k+int(v)]), b[k+int(v):]
		}
		if numbers[1] == 0 || numbers[1] > numbers[0] {
			return nil, errSegment
		}
		last := execution.Cursor(numbers[0])
		entries = append(entries, entry{first: last + 1 - execution.Cursor(numbers[1]), last: last, enc: texts[0], data: texts[1]})
	}
	if len(entries) == 0 || entries[0].first != ref.first || entries[len(entries)-1].last != ref.last {
		return nil, errSegment
	}
	return entries, nil
}

// archived gives the entries of a segment that end behind after. What the
// archive does not have is one entry that stands for a gap. An error of code
// Unavailable passes.
func (s *Store) archived(ctx context.Context, id execution.ID, ref segmentRef, after execution.Cursor) ([]entry, error) {
	if s.o.Archive == nil {
		return nil, execution.Errorf(execution.Unavailable, "this part of the log is in the artifact store, which this replica does not know: set ARTIFACTS_URL as on the workers")
	}
	entries, err := s.segments.get(ctx, s.o.Archive, id, ref)
	switch {
	case execution.CodeOf(err) == execution.NotFound:
		return lost(ref, "the artifact store no longer has it (the setting ARTIFACTS_URL)")
	case errors.Is(err, errSegment):
		return lost(ref, "what the artifact store has of it is damaged")
	case err != nil:
		return nil, &execution.Error{
			Code: execution.Unavailable, Err: err,
			Message: "this part of the log is in the artifact store, which cannot be reached (the setting ARTIFACTS_URL); try again soon",
		}
	}
	return entriesAfter(entries, after), nil
}

// lost stands for a segment that cannot be had.
func lost(ref segmentRef, reason string) ([]entry, error) {
	data, err := gapData{T: time.Now().UnixMilli(), GapNote: execution.GapNote{Reason: reason}}.encode()
	return []entry{{first: ref.first, last: ref.last, enc: encGap, data: string(data)}}, err
}

// segments remembers the segments that were read last, since one is read in
// parts, and often by many at once. The zero value is ready.
type segments struct {
	flight singleflight.Group

	mu     sync.Mutex
	recent []readSegment // the one used last at the end
}

type readSegment struct {
	id      execution.ID
	ref     segmentRef
	entries []entry
}

// maxRecent segments are remembered: some 16 MiB.
const maxRecent = 16

func (c *segments) get(ctx context.Context, archive Archive, id execution.ID, ref segmentRef) ([]entry, error) {
	// Whoever asks first fetches for all, so it must not end with him.
	fetch := c.flight.DoChan(string(id)+"/"+ref.String(), func() (any, error) {
		if entries := c.remembered(id, ref.first-1); entries != nil { // somebody has just fetched it
			return entries, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), archiveTimeout)
		defer cancel()
		data, err := archive.Get(ctx, id, ref.name())
		if err != nil {
			return nil, err
		}
		entries, err := decodeSegment(data, ref)
		if err == nil {
			c.remember(readSegment{id, ref, entries})
		}
		return entries, err
	})
	select {
	case got := <-fetch:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.([]entry), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// remembered gives the entries of a segment that holds what follows after, from
// there on; nil where it is not among the last.
func (c *segments) remembered(id execution.ID, after execution.Cursor) []entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.recent, func(r readSegment) bool { return r.id == id && r.ref.first <= after+1 && after < r.ref.last })
	if i < 0 {
		return nil
	}
	found := c.recent[i]
	c.recent = append(slices.Delete(c.recent, i, i+1), found)
	return entriesAfter(found.entries, after)
}

func entriesAfter(entries []entry, after execution.Cursor) []entry {
	return entries[sort.Search(len(entries), func(i int) bool { return entries[i].last > after }):]
}

func (c *segments) remember(r readSegment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) >= maxRecent {
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	c.recent = append(c.recent, r)
}
