package logstream

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Spool is a Sink in front of another. While that one cannot be reached,
// batches go to a file, so that the engine goes on at full speed; when it
// answers again they go there in their order. Beyond its budget of disk a gap
// stands for what was not kept.
//
// Nothing touches the disk as long as the sink answers. The file is removed
// when it has been emptied. A process that dies leaves it to the next one on
// the same disk: see Replay.
type Spool struct {
	sink   Sink
	lease  execution.Lease
	path   string
	budget int64
	retry  Backoff
	log    *slog.Logger

	mu      sync.Mutex      // guards all below
	changed sync.Cond       // batches have come, or gone, or err is set
	file    *os.File        // nil while there is nothing in it
	size    int64           // bytes written
	read    int64           // bytes handed on
	kept    execution.Batch // sums of what is in the file and not handed on: No is the newest
	dropped execution.Batch // the gap that grows since the budget was used up; N is 0 when there is none
	up      bool            // the sink took the last batch that Run gave it
	err     error           // the sink refused the attempt
	closed  bool
}

// NewSpool makes a Spool for one attempt, whose file will be path, of budget
// bytes at most.
func NewSpool(sink Sink, lease execution.Lease, path string, budget int64, log *slog.Logger) *Spool {
	s := &Spool{sink: sink, lease: lease, path: path, budget: budget, retry: Backoff{Min: 50 * time.Millisecond, Max: time.Second}, log: log}
	s.changed.L = &s.mu
	return s
}

// Append hands b on, or keeps it on disk. It fails only when the attempt is fenced.
func (s *Spool) Append(ctx context.Context, _ execution.Lease, b execution.Batch) error {
	waiting, err := s.turn(ctx)
	if err != nil {
		return err
	}
	if !waiting {
		err := s.sink.Append(ctx, s.lease, b)
		if err == nil || errors.Is(err, execution.ErrFenced) || ctx.Err() != nil {
			return err
		}
		s.log.WarnContext(ctx, "log goes to disk until Redis takes it", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !waiting {
		s.up = false
	}
	s.keep(b)
	s.changed.Broadcast()
	return s.err
}

// turn tells whether there is something that a batch must queue up behind. As
// soon as the sink answers again it waits until there is not: batches that come
// one by one to the disk never end, since each is handed on by itself, while
// those who wait gather in the writer and go together.
func (s *Spool) turn(ctx context.Context) (waiting bool, err error) {
	stop := context.AfterFunc(ctx, s.wake)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && s.waiting() && s.up && ctx.Err() == nil {
		s.changed.Wait()
	}
	if s.err == nil && ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return s.waiting(), s.err
}

func (s *Spool) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// waiting: what comes now must queue up behind what is there.
func (s *Spool) waiting() bool { return s.file != nil || s.dropped.N > 0 }

// keep writes b to the file, or counts it as dropped.
func (s *Spool) keep(b execution.Batch) {
	record := appendBatch(nil, b)
	if s.dropped.N == 0 && s.size+int64(len(record)) <= s.budget {
		err := s.write(record)
		if err == nil {
			s.size += int64(len(record))
			s.kept.No, s.kept.N, s.kept.LogBytes = b.No, s.kept.N+b.N, s.kept.LogBytes+b.LogBytes
			return
		}
		s.log.Error("log could not be kept on disk", "path", s.path, "error", err)
	}
	s.drop(b, "Redis was away for longer than the worker could keep the output (the setting SPOOL_MAX_BYTES)")
	if b.Progress != nil {
		s.dropped.Progress = append(s.dropped.Progress[:0:0], b.Progress...)
	}
}

// drop makes b a part of the gap.
func (s *Spool) drop(b execution.Batch, why string) {
	gap := execution.GapNote{Reason: why}
	if s.dropped.Gap != nil {
		gap = *s.dropped.Gap // a new one: the old may be on its way to the sink
	}
	gap.Bytes += b.LogBytes
	s.dropped.No, s.dropped.N, s.dropped.Gap = max(s.dropped.No, b.No), s.dropped.N+b.N, &gap
}

func (s *Spool) write(record []byte) (err error) {
	if s.file == nil {
		if s.file, err = os.OpenFile(s.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			s.file = nil
			return err
		}
	}
	// After an error a part may be written: the next record overwrites it, and a
	// reader stops at a record whose sum is wrong.
	if _, err = s.file.WriteAt(record, s.size); err != nil && s.size == 0 {
		s.empty()
	}
	return err
}

// Held is how many bytes are on disk and not handed on yet.
func (s *Spool) Held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size - s.read
}

// Run hands on what is kept, in order, as soon as the sink takes it. It returns
// when Close was called and nothing is left, when the attempt is fenced, or
// when ctx ends.
func (s *Spool) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.wake)
	defer stop()
	pause := s.retry.Min
	for {
		b, size, ok := s.next(ctx)
		if !ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.err == nil && ctx.Err() != nil && s.waiting() {
				return context.Cause(ctx)
			}
			return s.err
		}
		err := s.sink.Append(ctx, s.lease, b)
		switch {
		case err == nil:
			pause = s.retry.Min
			s.done(b, size)
		case errors.Is(err, execution.ErrFenced):
			s.fence(err)
		default:
			s.down()
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, s.retry.Max)
		}
	}
}

// next waits for the oldest batch that is kept. size is what it takes of the
// file, 0 for the gap at its end.
func (s *Spool) next(ctx context.Context) (b execution.Batch, size int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.err != nil || ctx.Err() != nil:
			return b, 0, false
		case s.file != nil && s.read < s.size:
			b, size, err := readBatch(io.NewSectionReader(s.file, s.read, s.size-s.read))
			if err == nil {
				return b, size, true
			}
			// Our own bytes cannot be read back: the disk is broken. What is left
			// of the file is lost, and a gap says so.
			s.log.Error("spooled log is damaged", "path", s.path, "error", err)
			s.drop(s.kept, "the worker's disk did not give back what it kept while Redis was away")
			s.empty()
			continue
		case s.dropped.N > 0:
			return s.dropped, 0, true
		case s.closed:
			return b, 0, false
		}
		s.changed.Wait()
	}
}

// done forgets what the sink has taken, and removes an emptied file.
func (s *Spool) done(b execution.Batch, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = true
	if size == 0 {
		if s.dropped.No == b.No { // else it has grown meanwhile; what was told of it is taken off
			s.dropped = execution.Batch{}
		} else {
			s.dropped.N -= b.N
			gap := *s.dropped.Gap
			gap.Bytes -= b.Gap.Bytes
			s.dropped.Gap = &gap
		}
	} else {
		s.kept.N, s.kept.LogBytes = s.kept.N-b.N, s.kept.LogBytes-b.LogBytes
		if s.read += size; s.read == s.size {
			s.empty()
		}
	}
	s.changed.Broadcast()
}

// down lets batches go to disk again.
func (s *Spool) down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = false
	s.changed.Broadcast()
}

func (s *Spool) empty() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.path)
	}
	s.file, s.size, s.read, s.kept = nil, 0, 0, execution.Batch{}
}

func (s *Spool) fence(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.empty()
	s.dropped = execution.Batch{}
	s.changed.Broadcast()
}

// Close says that no more batches come; Run ends when all are handed on.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

// Replay hands the batches of the file that a dead process left at path to
// sink, in order, and removes it. A batch that the process was just writing is
// not whole and is left out. No file is no error; the error is the sink's.
func Replay(ctx context.Context, sink Sink, lease execution.Lease, path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	defer f.Close()
	for r := bufio.NewReaderSize(f, 256<<10); ; {
		b, _, err := readBatch(r)
		if err != nil {
			return os.Remove(path)
		}
		if err := sink.Append(ctx, lease, b); err != nil {
			return err
		}
	}
}

// A record of the file: length of the rest, its CRC-32C, and then the batch's
// number, count, output bytes, progress and data.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	recordHeader = 8
	// maxRecord bounds what a damaged length can make us read.
	maxRecord = 64 << 20
)

func appendBatch(dst []byte, b execution.Batch) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, recordHeader)...)
	dst = binary.AppendUvarint(dst, b.No)
	dst = binary.AppendUvarint(dst, uint64(b.N))
	dst = binary.AppendUvarint(dst, uint64(b.LogBytes))
	dst = binary.AppendUvarint(dst, uint64(len(b.Progress)))
	dst = append(dst, b.Progress...)
	dst = append(dst, b.Data...)
	body := dst[start+recordHeader:]
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(dst[start+4:], crc32.Checksum(body, castagnoli))
	return dst
}

var errRecord = errors.New("logstream: a spooled batch is not whole")

// metricsIn finds the newest metrics event of a batch: it has no place of its own
// in a record of the file, which other releases read too.
func metricsIn(data []byte) (newest json.RawMessage) {
	events, err := execution.DecodeBatch(data, 1)
	if err != nil {
		return nil
	}
	for i := range events {
		if events[i].Type == execution.EventMetrics {
			newest = events[i].Data
		}
	}
	return newest
}

func readBatch(r io.Reader) (b execution.Batch, size int64, err error) {
	var header [recordHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return b, 0, errRecord
	}
	n := binary.LittleEndian.Uint32(header[:])
	if n > maxRecord {
		return b, 0, errRecord
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil || crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(header[4:]) {
		return b, 0, errRecord
	}
	var fields [4]uint64
	for i := range fields {
		v, k := binary.Uvarint(body)
		if k <= 0 {
			return b, 0, errRecord
		}
		fields[i], body = v, body[k:]
	}
	if fields[3] > uint64(len(body)) {
		return b, 0, errRecord
	}
	b = execution.Batch{No: fields[0], N: int(fields[1]), LogBytes: int64(fields[2]), Data: body[fields[3]:]}
	if fields[3] > 0 {
		b.Progress = body[:fields[3]:fields[3]]
	}
	b.Metrics = metricsIn(b.Data)
	return b, int64(recordHeader) + int64(n), nil
}
