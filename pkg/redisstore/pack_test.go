package redisstore_test

import (
	"testing"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestAPackedLogFillsWhatRedisAllotsForIt(t *testing.T) {
	for name, c := range map[string]struct {
		kind  string
		chunk int     // bytes of one event
		most  float64 // of what Redis allots, over the bytes stored
	}{
		"lines":            {lines.Typical, 1, 1.05},
		"some lines":       {lines.Typical, 5000, 1.05},
		"chunks of 64 KiB": {lines.Typical, 65_000, 1.2}, // which stay whole
		"nothing to pack":  {lines.Random, 5000, 1.05},
	} {
		t.Run(name, func(t *testing.T) {
			st, srv := redistest.Store(t, redisstore.Options{})
			rdb := client(t, srv)
			id := create(t, st, spec())
			l := claim(t, st, id)
			log, size, no := lines.NewLog(c.kind), 0, uint64(0)
			for size < 700_000 {
				var text []byte
				for len(text) < c.chunk {
					text = append(text, log.Next()...)
				}
				size, no = size+len(text), no+1
				if err := st.Append(t.Context(), l, batch(no, string(text))); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := st.Settle(t.Context(), l, completed()); err != nil {
				t.Fatal(err)
			}
			before := read(t, st, id, 0)
			tidyNow(t, st, rdb)
			sameFromEveryCursor(t, st, id, before, len(before)/5+1)
			key := "lh:{p0}:ev:" + string(id)
			used := rdb.MemoryUsage(t.Context(), key, 0).Val()
			stored, err := rdb.HGet(t.Context(), "lh:{p0}:x:"+string(id), "stored").Int()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes of a log are %d, for which Redis allots %d", size, stored, used)
			if float64(used) > c.most*float64(stored) {
				t.Errorf("%d bytes of Redis for %d", used, stored)
			}
		})
	}
}
