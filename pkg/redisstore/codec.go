package redisstore

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/klauspost/compress/zstd"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Encodings of a stream entry's data.
const (
	encBatch = "b" // a batch of execution.AppendEvent
	encZstd  = "z" // the same, compressed
	encGap   = "g" // events that the writer dropped: {"t":ms,"a":attempt,"reason":…,"bytes":n}
	encJSON  = "j" // one event as a script writes it: {"t":ms,"a":attempt,"type":…,"data":{…}}
)

// compressFrom is where zstd begins to gain: below it, a frame's header eats what
// the few bytes save (measured: 27 bytes a line at 1 KiB, 16 from 4 KiB on, 100 raw).
const compressFrom = 1 << 10

// maxBatch bounds what one entry may unpack to, so that damaged data cannot
// take all memory: the writer's limit with room to spare.
const maxBatch = 64 << 20

type codec struct {
	enc    *zstd.Encoder
	dec    *zstd.Decoder
	folder *zstd.Encoder // with the dictionary of folded records
	// dense is for logs that have ended: a tenth smaller for three times the work,
	// and 4 MiB of tables, which a process that packs nothing does without.
	dense func() *zstd.Encoder
}

func newCodec() codec {
	// Both are used by their stateless EncodeAll and DecodeAll, from many
	// goroutines at once; neither starts one of its own then.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(true), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("redisstore: zstd options: " + err.Error())
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxBatch), zstd.WithDecoderLowmem(true), zstd.WithDecoderDictRaw(foldDict, []byte(foldDict1)))
	if err != nil {
		panic("redisstore: zstd options: " + err.Error())
	}
	folder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithWindowSize(32<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderDictRaw(foldDict, []byte(foldDict1)))
	if err != nil {
		panic("redisstore: zstd options: " + err.Error())
	}
	dense := sync.OnceValue(func() *zstd.Encoder {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithWindowSize(2*packRaw), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("redisstore: zstd options: " + err.Error())
		}
		return enc
	})
	return codec{enc: enc, dec: dec, folder: folder, dense: dense}
}

// encode gives the form in which a batch is stored; without an encoder, that is
// as it is. What it packs is put into room, which may be nil.
func (c codec) encode(batch, room []byte) (enc string, data []byte) {
	return encodeWith(c.enc, batch, room)
}

func encodeWith(z *zstd.Encoder, batch, room []byte) (enc string, data []byte) {
	if len(batch) < compressFrom || z == nil {
		return encBatch, batch
	}
	packed := z.EncodeAll(batch, room[:0])
	if len(packed) >= len(batch) {
		return encBatch, batch
	}
	return encZstd, packed
}

// decode reads one entry. What has to be unpacked is put into room.
func (c codec) decode(enc, data string, first execution.Cursor, room *[]byte) ([]execution.Event, error) {
	switch enc {
	case encBatch:
		return execution.DecodeBatch([]byte(data), first)
	case encZstd:
		// Only read, and not kept: no copy is needed.
		batch, err := c.dec.DecodeAll(unsafe.Slice(unsafe.StringData(data), len(data)), (*room)[:0])
		if err != nil {
			return nil, fmt.Errorf("unpack events from %d: %w", first, err)
		}
		*room = batch
		return execution.DecodeBatch(batch, first)
	case encJSON:
		var e struct {
			T    int64               `json:"t"`
			A    int                 `json:"a"`
			Type execution.EventType `json:"type"`
			Data json.RawMessage     `json:"data"`
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return nil, fmt.Errorf("read event %d: %w", first, err)
		}
		return []execution.Event{{Seq: first, Type: e.Type, Time: time.UnixMilli(e.T).UTC(), Attempt: e.A, Data: e.Data}}, nil
	}
	return nil, fmt.Errorf("events from %d have the unknown encoding %q: they come from a newer release", first, enc)
}

// rooms are buffers for batches, packed or not, which are used again: at a
// hundred megabytes a second a new one for each would keep the collector busier
// than all else.
type rooms struct{ pool sync.Pool }

// maxRoom is more than a batch of a worker or a packed entry takes. What is
// larger is not kept.
const maxRoom = 512 << 10

func (r *rooms) get() *[]byte {
	if b, ok := r.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (r *rooms) put(b *[]byte) {
	if cap(*b) <= maxRoom {
		r.pool.Put(b)
	}
}

// loan is what a reader gives back when it is done with the events: the rooms
// that they are in. A nil one lends nothing: each entry gets bytes of its own.
type loan struct {
	from  *rooms
	taken []*[]byte
}

func (l *loan) room() *[]byte {
	if l == nil {
		return new([]byte)
	}
	b := l.from.get()
	l.taken = append(l.taken, b)
	return b
}

func (l *loan) done() {
	for _, b := range l.taken {
		l.from.put(b)
	}
	l.taken = nil
}
