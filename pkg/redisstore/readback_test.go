package redisstore_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// backwards reads all before a number from its end, and puts it in order.
func backwards(t *testing.T, st *redisstore.Store, id execution.ID, before execution.Cursor) (all []execution.Event) {
	t.Helper()
	for before > 0 {
		got, from, err := st.ReadBack(t.Context(), id, before, 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		if from >= before || len(got) > 0 && got[0].Seq < from {
			t.Fatalf("before %d comes %d, and %d events", before, from, len(got))
		}
		before = from
		all = append(got, all...)
	}
	return all
}

// sameBackwards compares what is read from the end with what is read from the
// beginning: all but gaps, which stand where nothing is.
func sameBackwards(t *testing.T, st *redisstore.Store, id execution.ID, want []execution.Event) {
	t.Helper()
	kept := func(events []execution.Event) (some []execution.Event) {
		for _, e := range events {
			if e.Type != execution.EventGap {
				some = append(some, e)
			}
		}
		return some
	}
	for _, n := range []int{len(want), max(1, len(want)/2)} {
		before := want[n-1].Seq + 1
		if got, want := kept(backwards(t, st, id, before)), kept(want[:n]); !reflect.DeepEqual(got, want) {
			t.Fatalf("before %d there are %d events, want %d", before, len(got), len(want))
		}
	}
}

func TestTheEndOfALongLogIsReadWithoutTheRest(t *testing.T) {
	archive := newShelf()
	st, _ := redistest.Store(t, redisstore.Options{LogBytes: 64 << 10, Archive: archive})
	w := sealer(t, st)
	id := create(t, st, spec())
	l := claim(t, st, id)
	rng := rand.New(rand.NewPCG(1, 2))
	for no := range uint64(500) {
		if err := w.Append(t.Context(), l, batch(no+1, noise(rng, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	last := get(t, st, id).Last
	got, _, err := st.ReadBack(t.Context(), id, last+1, 4<<10)
	if err != nil || len(got) == 0 || got[len(got)-1].Seq != last || len(got) > 20 {
		t.Errorf("%d events, %v", len(got), err)
	}
	if n := archive.gets.Load(); n != 0 {
		t.Errorf("%d segments were fetched for it", n)
	}
	if got, from, err := st.ReadBack(t.Context(), id, 1, 4<<10); err != nil || len(got) != 0 || from != 0 {
		t.Errorf("before the first there are %v from %d, %v", got, from, err)
	}
	if _, _, err := st.ReadBack(t.Context(), "exec_1762548673499_vqx7d3cpo", 5, 1); execution.CodeOf(err) != execution.NotFound {
		t.Errorf("of nothing: %v", err)
	}
}
