package redisstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func workerNames(t *testing.T, st *redisstore.Store) (names []string) {
	t.Helper()
	all, err := st.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		names = append(names, w.Name)
	}
	return names
}

func TestWorkersAreListedWithWhatTheyRunUntilTheyAreGone(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		srv := redistest.Start(t)
		st := redistest.Open(t, srv, redisstore.Options{Partitions: partitions})
		begun := time.Now().UTC().Truncate(time.Second)
		see := func(name string, draining bool) {
			w := execution.Worker{Name: name, Version: "v1", StartedAt: begun, Slots: 5, Queues: []string{"low"}, Draining: draining}
			if err := st.SawWorker(t.Context(), &w); err != nil {
				t.Fatal(err)
			}
		}
		see("worker-2", false)
		see("worker-1", false)
		see("worker-1", true)
		var runs []execution.ID
		for range 4 {
			id := create(t, st, spec())
			claim(t, st, id) // as worker-1
			runs = append(runs, id)
		}
		l := claim(t, st, create(t, st, spec()))
		if _, err := st.Settle(t.Context(), l, completed()); err != nil {
			t.Fatal(err)
		}
		all, err := st.Workers(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		slices.Sort(runs)
		if w := all[0]; w.Name != "worker-1" || !w.Draining || w.Slots != 5 || !w.StartedAt.Equal(begun) ||
			!slices.Equal(w.Running, runs) || time.Since(w.SeenAt).Abs() > 10*time.Second {
			t.Errorf("%d partitions: %+v, want what runs to be %v", partitions, w, runs)
		}
		if w := all[1]; w.Name != "worker-2" || len(w.Running) != 0 {
			t.Errorf("%+v", w)
		}
		if err := st.ForgetWorker(t.Context(), "worker-2"); err != nil {
			t.Fatal(err)
		}
		if got := workerNames(t, st); !slices.Equal(got, []string{"worker-1"}) {
			t.Errorf("listed are %v", got)
		}
	}
}

func TestALostWorkerLeavesTheListByItself(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	if err := st.SawWorker(t.Context(), &execution.Worker{Name: "worker-1"}); err != nil {
		t.Fatal(err)
	}
	rdb, err := redisstore.Dial(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	const key = "lh:{p0}:worker:worker-1"
	if left := rdb.PTTL(t.Context(), key).Val(); left < time.Minute || left > 2*time.Minute {
		t.Errorf("it stays for %v", left)
	}
	// As if a minute had passed: it is still listed, as one that was not seen for long.
	rdb.PExpire(t.Context(), key, 5*time.Second)
	all, err := st.Workers(t.Context())
	if err != nil || len(all) != 1 || time.Since(all[0].SeenAt) < time.Minute {
		t.Errorf("%+v, %v", all, err)
	}
	rdb.Del(t.Context(), key)
	if got := workerNames(t, st); len(got) != 0 {
		t.Errorf("listed are %v", got)
	}
	if n := rdb.Exists(t.Context(), "lh:{p0}:workers").Val(); n != 0 {
		t.Error("its name is left behind")
	}
}
