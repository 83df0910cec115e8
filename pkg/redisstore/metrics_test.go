package redisstore_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// sample is a batch of one metrics event.
func sample(no uint64, data string) execution.Batch {
	e := execution.Event{Type: execution.EventMetrics, Time: time.Now(), Attempt: 1, Data: []byte(data)}
	return execution.Batch{No: no, N: 1, Data: execution.AppendEvent(nil, &e), Metrics: e.Data}
}

func TestTheNewestMetricsStayInTheRecord(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond})
	id := create(t, st, spec())
	l := claim(t, st, id)
	if r := get(t, st, id); r.Metrics != nil {
		t.Errorf("before the first there is %+v", r.Metrics)
	}
	want := &execution.Metrics{CPUPercent: 132.5, MemoryBytes: 104857600, Processes: 3, CPUSeconds: 12.1}
	for i, b := range []execution.Batch{
		sample(1, `{"cpu_percent":1,"memory_bytes":1,"processes":1,"cpu_seconds":1}`),
		sample(2, `{"cpu_percent":132.5,"memory_bytes":104857600,"processes":3,"cpu_seconds":12.1}`),
		sample(1, `{"cpu_percent":1,"memory_bytes":1,"processes":1,"cpu_seconds":1}`), // a repeated append changes nothing
		batch(3, "x"),
	} {
		if err := st.Append(t.Context(), l, b); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	stale := l
	stale.Token = redisstore.NewToken()
	if err := st.Append(t.Context(), stale, sample(9, `{}`)); err == nil {
		t.Error("a stale attempt wrote")
	}
	if r := get(t, st, id); r.LogBytes != 1 || r.Last != 5 {
		t.Errorf("log bytes %d, last %d: samples are no output", r.LogBytes, r.Last)
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	events := read(t, st, id, 0)
	for range 2 {
		if r := get(t, st, id); !reflect.DeepEqual(r.Metrics, want) {
			t.Errorf("the record has %+v", r.Metrics)
		}
		if all, _ := listed(t, st, execution.ListQuery{}); !reflect.DeepEqual(all[0].Metrics, want) {
			t.Errorf("the list has %+v", all[0].Metrics)
		}
		if got := read(t, st, id, 0); !reflect.DeepEqual(got, events) {
			t.Errorf("the log is %v, and was %v", types(got), types(events))
		}
		foldNow(t, st)
	}
}

func TestANewAttemptHasNoMetricsOfTheLast(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	s := spec()
	s.OnInterrupt, s.MaxAttempts = execution.Requeue, 2
	id := create(t, st, s)
	l := claim(t, st, id)
	if err := st.Append(t.Context(), l, sample(1, `{"processes":1}`)); err != nil {
		t.Fatal(err)
	}
	again := redisstore.Settlement{Requeue: true, Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonInterrupted}}
	if _, err := st.Settle(t.Context(), l, again); err != nil {
		t.Fatal(err)
	}
	if r := get(t, st, id); r.Metrics != nil {
		t.Errorf("it has %+v", r.Metrics)
	}
}
