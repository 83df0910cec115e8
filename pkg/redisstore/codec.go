package redisstore

import (
	"encoding/json"
	"fmt"
	"time"

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
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() codec {
	// Both are used by their stateless EncodeAll and DecodeAll, from many
	// goroutines at once; neither starts one of its own then.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(true), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("redisstore: zstd options: " + err.Error())
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxBatch), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("redisstore: zstd options: " + err.Error())
	}
	return codec{enc: enc, dec: dec}
}

func (c codec) encode(batch []byte) (enc string, data []byte) {
	if len(batch) < compressFrom {
		return encBatch, batch
	}
	packed := c.enc.EncodeAll(batch, make([]byte, 0, len(batch)/4))
	if len(packed) >= len(batch) {
		return encBatch, batch
	}
	return encZstd, packed
}

func (c codec) decode(enc, data string, first execution.Cursor) ([]execution.Event, error) {
	switch enc {
	case encBatch:
		return execution.DecodeBatch([]byte(data), first)
	case encZstd:
		batch, err := c.dec.DecodeAll([]byte(data), nil)
		if err != nil {
			return nil, fmt.Errorf("unpack events from %d: %w", first, err)
		}
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
