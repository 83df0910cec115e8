package redisstore_test

import (
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// line puts an id in a list: what the queue's script does, in short.
func line(id execution.ID) execution.Script {
	return execution.Script{Text: "redis.call('RPUSH', KEYS[1], ARGV[1])", Keys: []string{"line"}, Args: []any{string(id)}}
}

func TestARecordComesWithItsPlaceInLineOrNotAtAll(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{MaxQueue: 2})
	rdb := client(t, srv)
	start := func(key string, changed bool) (execution.Created, error) {
		t.Helper()
		id, err := st.NewID(t.Context(), "me", key)
		if err != nil {
			t.Fatal(err)
		}
		s := spec()
		s.Labels = map[string]string{"a": "1", "b": "2"} // which come before what is for line
		if changed {
			s.Args = nil
		}
		return st.CreateAs(t.Context(), id, s, "me", key, line(id))
	}
	inLine := func(want ...execution.ID) {
		t.Helper()
		got := rdb.LRange(t.Context(), "line", 0, -1).Val()
		if len(got) != len(want) {
			t.Fatalf("in line are %v, want %v", got, want)
		}
		for i := range want {
			expect(t, "in line", got[i], string(want[i]))
		}
	}
	first, err := start("once", false)
	if err != nil || !first.InLine {
		t.Fatalf("created: %+v, %v", first, err)
	}
	inLine(first.Record.ID)
	again, err := start("once", false)
	if err != nil || !again.Known || again.InLine {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	_, err = start("once", true)
	expect(t, "another with that key", execution.CodeOf(err), execution.IdempotencyUsed)
	second, err := start("", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = start("", false)
	expect(t, "one too many", execution.CodeOf(err), execution.QueueFull)
	inLine(first.Record.ID, second.Record.ID)
}

func TestARecordWhoseLineFailsIsAcceptedAndSaysSo(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	rdb := client(t, srv)
	rdb.Set(t.Context(), "line", "no list", 0)
	c, err := st.CreateAs(t.Context(), "", spec(), "", "", line("x"))
	if err != nil || c.InLine {
		t.Fatalf("created: %+v, %v", c, err)
	}
	expect(t, "status", get(t, st, c.Record.ID).Status, execution.Queued)
}
