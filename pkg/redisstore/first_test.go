package redisstore_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// throughItsLife reads an execution's log in each form that it takes, from every number and backwards.
func throughItsLife(t *testing.T, st *redisstore.Store, rdb redis.UniversalClient, s *execution.Spec, lines int) {
	t.Helper()
	id := create(t, st, s)
	first := execution.Event{
		Seq: 1, Type: execution.EventStatus, Time: get(t, st, id).CreatedAt,
		Data: []byte(fmt.Sprintf(`{"status":"queued","queue":%q}`, s.Queue)),
	}
	check := func(form string, n int) {
		t.Helper()
		all := readAll(t, st, id, 0)
		if len(all) != n || !reflect.DeepEqual(all[0], first) {
			t.Fatalf("%s: %d events, want %d; the first is %+v, want %+v", form, len(all), n, all[0], first)
		}
		sameFromEveryCursor(t, st, id, all, max(1, n/7))
		if back, from, err := st.ReadBack(t.Context(), id, 2, 1); err != nil || from != 1 || len(back) != 1 || !reflect.DeepEqual(back[0], first) {
			t.Errorf("%s: before 2 is %+v from %d, %v", form, back, from, err)
		}
	}
	check("queued", 1)
	l := claim(t, st, id)
	check("claimed", 2)
	for no := range lines {
		if err := st.Append(t.Context(), l, batch(uint64(no+1), fmt.Sprintf("line %d of a log\n", no))); err != nil {
			t.Fatal(err)
		}
	}
	check("running", 2+lines)
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	check("ended", 3+lines)
	tidyNow(t, st, rdb)
	check("packed, and where there is an archive, in it", 3+lines)
	foldNow(t, st)
	check("folded", 3+lines)
	if !isFoldedIn(t, rdb, keyOf(rdb, id)) {
		t.Error("it was not folded")
	}
}

func TestTheFirstEventIsWhatTheRecordSays(t *testing.T) {
	for _, archive := range []redisstore.Archive{nil, newShelf()} {
		st, srv := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond, Archive: archive, LogHot: time.Millisecond})
		rdb := client(t, srv)
		s := spec()
		id := create(t, st, s)
		expect(t, "there is a log of what waits", rdb.Exists(t.Context(), "lh:{p0}:ev:"+string(id)).Val(), 0)
		s.Queue = "low"
		for _, lines := range []int{0, 7, 500} {
			throughItsLife(t, st, rdb, s, lines)
		}
	}
}

func TestTheFirstEventOfWhatNeverRanIsThereToo(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	if _, err := st.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if got, want := types(read(t, st, id, 0)), []string{"1 status:queued", "2 end:cancelled"}; !reflect.DeepEqual(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestTheFirstEventIsWrittenWhileAnOlderReleaseMayBeThere(t *testing.T) {
	srv := redistest.Start(t)
	rdb := client(t, srv)
	rdb.HSet(t.Context(), "lh:meta", "version", 1, "partitions", 1, "folds", 0) // as a release before this one left it
	o := redisstore.Options{FoldAfter: time.Nanosecond}
	st := redistest.Open(t, srv, o)
	id := create(t, st, spec())
	if wait := untilMillis(rdb.HGet(t.Context(), "lh:meta", "implied")); wait < 23*time.Hour || wait > 25*time.Hour {
		t.Errorf("the first event is left out in %v", wait)
	}
	written := rdb.XRange(t.Context(), "lh:{p0}:ev:"+string(id), "-", "+").Val()
	want := fmt.Sprintf(`{"t":%d,"a":0,"type":"status","data":{"status":"queued","queue":"default"}}`, get(t, st, id).CreatedAt.UnixMilli())
	if len(written) != 1 || written[0].ID != "1-0" || written[0].Values["n"] != "1" || written[0].Values["enc"] != "j" || written[0].Values["data"] != want {
		t.Errorf("the log holds %v, want %s", written, want)
	}
	for _, lines := range []int{0, 7, 500} {
		throughItsLife(t, st, rdb, spec(), lines)
	}

	rdb.HSet(t.Context(), "lh:meta", "implied", 1)
	id = create(t, redistest.Open(t, srv, o), spec())
	expect(t, "there is a log of what waits, a day later", rdb.Exists(t.Context(), "lh:{p0}:ev:"+string(id)).Val(), 0)
}
