package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// listed gives all that a query finds, over its pages, and how many of these
// ended before they were full.
func listed(t *testing.T, st *redisstore.Store, q execution.ListQuery) (found []*execution.Record, short int) {
	t.Helper()
	for {
		page, err := st.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, page.Records...)
		if page.Short {
			short++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return found, short
		}
	}
}

func TestASearchFindsWhatAPersonWouldTypeFoldedOrNot(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		st, _ := redistest.Store(t, redisstore.Options{Partitions: partitions, FoldAfter: time.Nanosecond})
		var made []execution.ID
		for i := range 60 {
			s := spec()
			s.Args = []string{"Main.py", fmt.Sprintf("--customer=%d", i)}
			s.Labels = map[string]string{"team": []string{"Red", "Blue"}[i%2]}
			id := create(t, st, s)
			made = append(made, id)
			switch i % 3 {
			case 0:
				if _, err := st.Settle(t.Context(), claim(t, st, id), completed()); err != nil {
					t.Fatal(err)
				}
			case 1:
				claim(t, st, id)
			}
		}
		middle := get(t, st, made[30]).CreatedAt
		before := 0
		for _, id := range made {
			if get(t, st, id).CreatedAt.Before(middle) {
				before++
			}
		}
		for range 2 {
			for _, tt := range []struct {
				what string
				q    execution.ListQuery
				want int
			}{
				{"an argument, whatever its case", execution.ListQuery{Text: "main.PY"}, 60},
				{"words over two arguments", execution.ListQuery{Text: "main.py --customer=7"}, 1},
				{"part of an argument", execution.ListQuery{Text: "customer=1"}, 11},
				{"the command", execution.ListQuery{Text: "pyth"}, 60},
				{"the value of a label", execution.ListQuery{Text: "blue"}, 30},
				{"a label", execution.ListQuery{Text: "team=red"}, 30},
				{"an id", execution.ListQuery{Text: string(made[7])}, 1},
				{"what nothing has", execution.ListQuery{Text: "nothing of this"}, 0},
				{"text and status", execution.ListQuery{Text: "blue", Status: []execution.Status{execution.Running}}, 10},
				{"a worker", execution.ListQuery{Worker: "worker-1"}, 40},
				{"another worker", execution.ListQuery{Worker: "worker"}, 0},
				{"until", execution.ListQuery{Until: middle}, before},
				{"since", execution.ListQuery{Since: middle}, 60 - before},
				{"nothing between", execution.ListQuery{Since: middle, Until: middle}, 0},
			} {
				tt.q.Limit = 7
				if got, _ := listed(t, st, tt.q); len(got) != tt.want {
					t.Errorf("%d partitions, %s: %d found, want %d", partitions, tt.what, len(got), tt.want)
				}
			}
			counts, err := st.Counts(t.Context())
			if err != nil || counts[execution.Completed] != 20 || counts[execution.Running] != 20 || counts[execution.Queued] != 20 || counts[execution.Failed] != 0 {
				t.Errorf("%d partitions: counts are %v, %v", partitions, counts, err)
			}
			foldNow(t, st)
		}
	}
}

func TestASearchThatFindsLittleEndsEarlyAndGoesOn(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond})
	const n = 2600 // more than one answer may look at, and more than 20 pages of what is folded
	oldest := ""
	for i := range n {
		s := spec()
		s.Args = []string{fmt.Sprint(i)}
		if i == 0 {
			s.Args[0] = "needle"
		}
		id := create(t, st, s)
		if i == 0 {
			oldest = string(id)
		}
		if _, err := st.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		found, short := listed(t, st, execution.ListQuery{Text: "needle", Limit: 5})
		if len(found) != 1 || string(found[0].ID) != oldest || short != 1 {
			t.Errorf("%d found, %d pages ended early", len(found), short)
		}
		if counts, err := st.Counts(t.Context()); err != nil || counts[execution.Cancelled] != n {
			t.Errorf("counts are %v, %v", counts, err)
		}
		foldNow(t, st)
	}
}

func TestARerunStaysOneWhenItIsFolded(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond})
	s := spec()
	s.RerunOf, s.Env = "exec_1762548673499_vqx7d3cpo", map[string]string{"KEY": "hunter2"}
	id := create(t, st, s)
	if _, err := st.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := get(t, st, id); r.Spec.RerunOf != s.RerunOf || r.Spec.Env["KEY"] != "hunter2" {
			t.Errorf("%+v", r.Spec)
		}
		if all, _ := listed(t, st, execution.ListQuery{}); len(all) != 1 || all[0].Spec.RerunOf != s.RerunOf {
			t.Errorf("%+v", all)
		}
		foldNow(t, st)
	}
}
