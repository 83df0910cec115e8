package redisstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func foldNow(t *testing.T, st *redisstore.Store) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = st.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// isFoldedIn tells the form of a record in Redis.
func isFoldedIn(t *testing.T, rdb redis.UniversalClient, key string) bool {
	t.Helper()
	return rdb.Type(t.Context(), key).Val() == "string"
}

func keyOf(rdb redis.UniversalClient, id execution.ID) string {
	keys := rdb.Keys(context.Background(), "lh:{p*}:x:"+string(id)).Val()
	if len(keys) != 1 {
		return ""
	}
	return keys[0]
}

// seen is all that readers can be told of an ended execution.
type seen struct {
	record, listed any
	events         []execution.Event
	cancelled      execution.Cancellation
}

func see(t *testing.T, st *redisstore.Store, id execution.ID) seen {
	t.Helper()
	r := get(t, st, id)
	s := seen{record: *r, events: readAll(t, st, id, 0)}
	for name, q := range map[string]execution.ListQuery{
		"status": {Status: []execution.Status{r.Status}}, "name": {Engine: r.Spec.Name()}, "labels": {Labels: r.Spec.Labels}, "all": {},
	} {
		var found *execution.Record
		for page := (execution.ListPage{Next: "-"}); page.Next != "" && found == nil; q.Cursor = page.Next {
			var err error
			if page, err = st.List(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Records {
				if l.ID == id {
					found = l
				}
			}
		}
		if found == nil {
			t.Fatalf("%s is not in the list by %s", id, name)
		}
		if s.listed != nil && !reflect.DeepEqual(s.listed, *found) {
			t.Fatalf("%s differs between lists", id)
		}
		s.listed = *found
	}
	var err error
	if s.cancelled, err = st.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, i int, after, before seen) {
	t.Helper()
	for what, pair := range map[string][2]any{
		"record": {after.record, before.record}, "record in lists": {after.listed, before.listed},
		"events": {after.events, before.events}, "answer to cancel": {after.cancelled, before.cancelled},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%d: %s is\n%+v\nand was\n%+v", i, what, pair[0], pair[1])
		}
	}
}

// shape is an execution of one kind, ended, with what a worker would still hold of it.
type shape struct {
	id    execution.ID
	lease execution.Lease
	key   string
	spec  *execution.Spec
	after redisstore.Settlement
}

// shapes makes one execution of every outcome with each kind of content.
func shapes(t *testing.T, st *redisstore.Store, rng *rand.Rand, n int) (all []shape) {
	t.Helper()
	code := 3
	at := time.Date(2026, 11, 22, 5, 0, 0, 123456789, time.UTC)
	outcomes := []execution.Outcome{
		{Status: execution.Completed, Reason: execution.ReasonExited, ExitCode: new(int), Attempt: 1, Worker: "worker-1", CPUSeconds: 0.25, GroupEmptyAt: &at, Artifacts: 2},
		{Status: execution.Failed, Reason: execution.ReasonExitCode, ExitCode: &code, Message: "exited with code 3: \"ü\" \x00 \u2028 <&>", PeakMemoryBytes: 1 << 40},
		{Status: execution.Timeout, Reason: execution.ReasonTimeout, Signal: "SIGKILL", SignalSentAt: &at, Leftovers: 7},
		{Status: execution.Errored, Reason: execution.ReasonWorkerLost, Message: strings.Repeat("lost ", 100)},
		{Status: execution.Cancelled, Reason: execution.ReasonCancelled, Signal: "SIGTERM"},
	}
	for i := range n {
		s := &execution.Spec{Command: "python", Args: []string{"main.py", strconv.Itoa(i)}}
		switch i % 4 {
		case 1:
			s.Args = []string{"", "\x01\x02\uFFFD", "日本語", `"quoted" \ 'x'`, strings.Repeat("long ", 100), "017", "00000000000000000000000000000000"}
			s.Env = map[string]string{"A": "b\nc"}
		case 2:
			s.Command, s.Args, s.Engine = "", nil, "analysis"
			s.Params = json.RawMessage(`{"n":12345678901234567890,"deep":[null,1.50]}`)
			s.Input = json.RawMessage(`{"text":"` + strings.Repeat("x", rng.IntN(3000)) + `"}`)
		}
		s.Labels = map[string]string{"team": []string{"red", "blue#", "a=b:c", ""}[i%4], "n": strconv.Itoa(i)}
		if i%3 == 0 {
			s.WebhookURL = "https://example.com/hook"
		}
		s.OnInterrupt, s.MaxAttempts, s.DelaySeconds = execution.Requeue, 3, 0
		s.Normalize(execution.DefaultLimits())
		sh := shape{spec: s, key: fmt.Sprint("key-", rng.Uint64()), after: redisstore.Settlement{Outcome: outcomes[i%len(outcomes)]}}
		c, err := st.Create(t.Context(), s, "alice", sh.key)
		if err != nil {
			t.Fatal(err)
		}
		sh.id = c.Record.ID
		all = append(all, sh)
		if i%7 == 6 { // it never ran
			if _, err := st.Cancel(t.Context(), sh.id); err != nil {
				t.Fatal(err)
			}
			continue
		}
		sh.lease = claim(t, st, sh.id)
		for range i % 3 {
			past := redisstore.Settlement{Requeue: true, Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonInterrupted, Message: "déployé", Attempt: sh.lease.Attempt}}
			if _, err := st.Settle(t.Context(), sh.lease, past); err != nil {
				t.Fatal(err)
			}
			sh.lease = claim(t, st, sh.id)
		}
		write(t, st, rng, sh.lease, i)
		if i%4 == 0 {
			sh.after.Result = json.RawMessage(`{"answer":` + strconv.Itoa(i) + `,"text":"` + strings.Repeat("ü", []int{0, 10, 5000, 40000}[i/4%4]) + `"}`)
		}
		if i%5 == 4 {
			if _, err := st.Cancel(t.Context(), sh.id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := st.Settle(t.Context(), sh.lease, sh.after); err != nil {
			t.Fatal(err)
		}
		all[len(all)-1] = sh
	}
	return all
}

// write makes a log: none, some lines, bytes, many entries, a gap, progress, one too long to be folded.
func write(t *testing.T, st *redisstore.Store, rng *rand.Rand, l execution.Lease, i int) {
	t.Helper()
	var batches []execution.Batch
	switch i % 6 {
	case 1:
		batches = []execution.Batch{batch(1, "one\n", "two\n"), batch(2, "three")}
	case 2:
		batches = []execution.Batch{batch(1, noise(rng, 1+rng.IntN(1500)))}
	case 3:
		for no := range uint64(100) {
			batches = append(batches, batch(no+1, fmt.Sprintf("line %d\n", no)))
		}
	case 4:
		p := batch(3, "c")
		e := execution.Event{Type: execution.EventProgress, Time: time.Now(), Attempt: l.Attempt, Data: []byte(`{"percent":42.5,"message":"<b> ü"}`)}
		p.Data, p.N, p.Progress = execution.AppendEvent(p.Data, &e), p.N+1, e.Data
		batches = []execution.Batch{batch(1, "a"), {No: 2, N: 10, LogBytes: 500, Gap: &execution.GapNote{Reason: "no room", Bytes: 500}}, p}
	case 5:
		batches = []execution.Batch{batch(1, noise(rng, 5000)), batch(2, noise(rng, 5000))}
	}
	for _, b := range batches {
		if err := st.Append(t.Context(), l, b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryReaderSeesAFoldedExecutionAsItWas(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		const n = 64
		st, srv := redistest.Store(t, redisstore.Options{Partitions: partitions, FoldAfter: time.Nanosecond})
		rdb := client(t, srv)
		all := shapes(t, st, rand.New(rand.NewPCG(5, uint64(partitions))), n)
		live := claim(t, st, create(t, st, spec()))
		before := make([]seen, n)
		for i, s := range all {
			before[i] = see(t, st, s.id)
		}
		foldNow(t, st)
		done := 0
		for i, s := range all {
			if isFoldedIn(t, rdb, keyOf(rdb, s.id)) {
				done++
			}
			after := see(t, st, s.id)
			same(t, i, after, before[i])
			sameFromEveryCursor(t, st, s.id, before[i].events, 1)
			sameAnswers(t, st, s, live)
		}
		// Those with a result of 40,000 ü stay as they are.
		if done < n-n/16-1 || done == n {
			t.Errorf("%d of %d are folded", done, n)
		}
		for i, s := range all {
			if err := st.Purge(t.Context(), s.id); err != nil { // a week too early
				t.Fatal(err)
			}
			if _, err := st.Get(t.Context(), s.id); err != nil {
				t.Errorf("%d: purged before its time: %v", i, err)
			}
		}
	}
}

// sameAnswers asks for what makes no sense after the end, or is a repeat after a lost reply.
func sameAnswers(t *testing.T, st *redisstore.Store, s shape, live execution.Lease) {
	t.Helper()
	if c, err := st.Create(t.Context(), s.spec, "alice", s.key); err != nil || !c.Known || c.Record.ID != s.id {
		t.Errorf("create with its key again: %+v, %v", c, err)
	}
	if _, err := st.Claim(t.Context(), s.id, "w", redisstore.NewToken()); execution.CodeOf(err) != execution.Conflict {
		t.Errorf("claim: %v", err)
	}
	foreign := execution.Lease{ID: s.id, Attempt: 1, Token: redisstore.NewToken()}
	if _, err := st.Settle(t.Context(), foreign, completed()); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("settle by another: %v", err)
	}
	if err := st.Append(t.Context(), foreign, batch(9, "x")); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("append: %v", err)
	}
	if s.lease.Token != "" {
		if _, err := st.Settle(t.Context(), s.lease, s.after); err != nil {
			t.Errorf("settle again: %v", err)
		}
	}
	if ok, err := st.Abandon(t.Context(), s.id, execution.Outcome{Status: execution.Timeout}); ok || err != nil {
		t.Errorf("abandon: %v, %v", ok, err)
	}
	ren, err := st.Renew(t.Context(), []execution.Lease{foreign, live})
	if err != nil || !ren[0].Fenced || ren[1].Fenced {
		t.Errorf("renew: %+v, %v", ren, err)
	}
}

func TestAFoldedExecutionLeavesNothingWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		st, srv := redistest.Store(t, redisstore.Options{Partitions: partitions, FoldAfter: time.Nanosecond, Retention: 3 * time.Second, IdempotencyTTL: time.Millisecond})
		rdb := client(t, srv)
		all := shapes(t, st, rand.New(rand.NewPCG(7, 7)), 400)
		foldNow(t, st)
		pages := len(rdb.Keys(t.Context(), "lh:{p*}:pg@*").Val())
		if pages < 2 {
			t.Errorf("there are only %d pages", pages)
		}
		for i, s := range all {
			if i%10 == 0 { // taken out by hand
				rdb.Del(t.Context(), keyOf(rdb, s.id))
			}
		}
		for purged, deadline := 0, time.Now().Add(30*time.Second); purged < len(all) && time.Now().Before(deadline); {
			ids, err := st.Expired(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				for range 2 {
					if err := st.Purge(t.Context(), id); err != nil {
						t.Fatal(err)
					}
				}
				purged++
			}
		}
		for _, key := range rdb.Keys(t.Context(), "*").Val() {
			// What is taken out by hand stays in the indexes of its kind, as it did ever.
			if key != "lh:meta" && !strings.Contains(key, ":status:") && !strings.Contains(key, ":name:") && !strings.Contains(key, ":label:") {
				t.Errorf("%s is left", key)
			}
		}
		for _, i := range []int{1, 2, 3} { // and nothing else does
			page, err := st.List(t.Context(), execution.ListQuery{Labels: map[string]string{"n": strconv.Itoa(i)}})
			if err != nil || len(page.Records) > 0 || len(rdb.Keys(t.Context(), fmt.Sprintf("*:label:n=%d", i)).Val()) > 0 {
				t.Errorf("%d: %v, %v", i, page, err)
			}
		}
	}
}

// In pages as in one sorted set, whatever the order in which executions end.
func TestListsOfFoldedExecutionsAreInOrderAndWhole(t *testing.T) {
	t.Parallel()
	st, srv := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond, Retention: time.Hour})
	rdb := client(t, srv)
	const n = 1500
	rng := rand.New(rand.NewPCG(1, 9))
	var ids []execution.ID
	var leases []execution.Lease
	for i := range n {
		s := spec()
		s.Labels = map[string]string{"team": []string{"red", "blue"}[i%2]}
		id := create(t, st, s)
		ids, leases = append(ids, id), append(leases, claim(t, st, id))
	}
	settle := func(l execution.Lease) {
		if _, err := st.Settle(t.Context(), l, completed()); err != nil {
			t.Fatal(err)
		}
	}
	order := rng.Perm(n)
	for k, i := range order {
		settle(leases[i])
		if k%100 == 99 {
			foldNow(t, st)
		}
	}
	all := func(q execution.ListQuery) (got []execution.ID) {
		for q.Limit = 37; ; {
			page, err := st.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				got = append(got, r.ID)
			}
			if q.Cursor = page.Next; page.Next == "" {
				return got
			}
		}
	}
	same := func(what string, q execution.ListQuery, want int) {
		t.Helper()
		got := all(q)
		at := map[execution.ID]bool{}
		for i, id := range got {
			if at[id] {
				t.Errorf("%s: %s twice", what, id)
			}
			at[id] = true
			if i > 0 && get(t, st, got[i-1]).CreatedAt.Before(get(t, st, id).CreatedAt) {
				t.Errorf("%s: %s after an older one", what, id)
			}
		}
		expect(t, what, len(got), want)
	}
	same("all", execution.ListQuery{}, n)
	same("completed", execution.ListQuery{Status: []execution.Status{execution.Completed}}, n)
	same("red", execution.ListQuery{Labels: map[string]string{"team": "red"}}, n/2)
	same("by name", execution.ListQuery{Engine: "python"}, n)
	middle := get(t, st, ids[n/2]).CreatedAt
	want := 0
	for _, id := range ids {
		if !get(t, st, id).CreatedAt.Before(middle) {
			want++
		}
	}
	same("since", execution.ListQuery{Since: middle}, want)
	for _, key := range rdb.Keys(t.Context(), "lh:{p0}:pg*").Val() {
		if enc := rdb.ObjectEncoding(t.Context(), key).Val(); enc == "skiplist" && !strings.Contains(key, "pgs:") {
			t.Errorf("%s of %d members is a skiplist", key, rdb.ZCard(t.Context(), key).Val())
		}
	}
}

func TestAFinishedExecutionTakesAtMost700BytesOfRedis(t *testing.T) {
	t.Parallel()
	for _, lines := range []int{0, 4} {
		srv := redistest.Start(t)
		st := redistest.Open(t, srv, redisstore.Options{FoldAfter: time.Nanosecond})
		rdb := client(t, srv)
		// In the order of a busy system: some wait, some run, some are folded.
		finish := func(n int) {
			for i := range n {
				s := &execution.Spec{Command: "python", Args: []string{"analyze.py", "--customer", strconv.Itoa(i)}, Labels: map[string]string{"team": []string{"red", "blue"}[i%2]}}
				s.Normalize(execution.DefaultLimits())
				l := claim(t, st, create(t, st, s))
				if lines > 0 {
					var text []string
					for k := range lines {
						text = append(text, fmt.Sprintf("2026-11-22T10:00:0%d step %d of the analysis is done: %d rows\n", k, k, i*k))
					}
					if err := st.Append(t.Context(), l, batch(1, text...)); err != nil {
						t.Fatal(err)
					}
				}
				code, gone := 0, time.Now().UTC()
				if _, err := st.Settle(t.Context(), l, redisstore.Settlement{Outcome: execution.Outcome{
					Status: execution.Completed, Reason: execution.ReasonExited, ExitCode: &code, Attempt: 1, Worker: "worker-1",
					CPUSeconds: float64(i) / 1e6, PeakMemoryBytes: 1234567 + int64(i), GroupEmptyAt: &gone,
				}}); err != nil {
					t.Fatal(err)
				}
				if i%50 == 49 {
					foldNow(t, st)
				}
			}
		}
		finish(1000)
		before := usedMemory(t, rdb)
		const n = 4000
		finish(n)
		each := float64(usedMemory(t, rdb)-before) / n
		t.Logf("with %d lines: %.0f bytes each", lines, each)
		if each > 700 {
			t.Errorf("with %d lines: %.0f bytes each", lines, each)
		}
		sum := int64(0)
		for it := rdb.Scan(t.Context(), 0, "*", 1000).Iterator(); it.Next(t.Context()); {
			sum += rdb.MemoryUsage(t.Context(), it.Val(), 0).Val()
		}
		if perKey := float64(sum) / (n + 1000); perKey > 700 {
			t.Errorf("the keys take %.0f bytes each", perKey)
		} else {
			t.Logf("with %d lines: the keys take %.0f bytes each", lines, perKey)
		}
	}
}

func usedMemory(t *testing.T, rdb redis.UniversalClient) (used int64) {
	t.Helper()
	info := rdb.InfoMap(t.Context(), "memory").Item("Memory", "used_memory")
	clients := rdb.InfoMap(t.Context(), "memory").Item("Memory", "mem_clients_normal")
	u, err := strconv.ParseInt(info, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := strconv.ParseInt(clients, 10, 64)
	return u - c
}

func TestFoldingBesideEverythingElseLosesNothing(t *testing.T) {
	t.Parallel()
	archive := newShelf()
	srv := redistest.Start(t)
	open := func() *redisstore.Store {
		return redistest.Open(t, srv, redisstore.Options{FoldAfter: time.Nanosecond, Archive: archive, LogHot: time.Millisecond, LogBytes: 64 << 10})
	}
	st := open()
	rdb := client(t, srv)
	rng := rand.New(rand.NewPCG(3, 3))
	for round := range 4 {
		all := shapes(t, st, rng, 60)
		before := make([]seen, len(all))
		for i, s := range all {
			before[i] = see(t, st, s.id)
		}
		purged := execution.ID("")
		if round%2 == 1 {
			purged = all[7].id
			rdb.ZAdd(t.Context(), "lh:{p0}:done", redis.Z{Score: 1, Member: string(purged)})
		}
		var busy sync.WaitGroup
		for range 2 {
			other := open()
			busy.Go(func() {
				for range 6 {
					_, _ = other.Fold(context.Background())
				}
			})
			busy.Go(func() {
				for range 40 {
					_, _ = other.Tidy(context.Background())
				}
			})
		}
		if purged != "" {
			busy.Go(func() {
				for range 5 {
					_ = st.Purge(context.Background(), purged)
				}
			})
		}
		for i, s := range all {
			if s.id == purged {
				continue
			}
			if r := get(t, st, s.id); !reflect.DeepEqual(*r, before[i].record) {
				t.Errorf("%+v, was %+v", r, before[i].record)
			}
			sameFromEveryCursor(t, st, s.id, before[i].events, 5)
			if c, err := st.Cancel(t.Context(), s.id); err != nil || c != before[i].cancelled {
				t.Errorf("cancel: %+v, %v", c, err)
			}
		}
		busy.Wait()
		for i := range 3 { // once by folding first, once by tidying first
			if i == 1 {
				tidyNow(t, st, rdb)
			}
			foldNow(t, st)
			for i, s := range all {
				if s.id != purged {
					sameFromEveryCursor(t, st, s.id, before[i].events, 50)
					if r := get(t, st, s.id); !reflect.DeepEqual(*r, before[i].record) {
						t.Errorf("%+v, was %+v", r, before[i].record)
					}
				}
			}
		}
		if purged == "" {
			continue
		}
		if left := rdb.Keys(t.Context(), "*"+string(purged)+"*").Val(); len(left) > 0 {
			t.Errorf("of the purged one %v is left", left)
		}
		page, err := st.List(t.Context(), execution.ListQuery{Labels: map[string]string{"n": "7"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			if r.ID == purged {
				t.Error("it is in a list")
			}
		}
	}
}

func TestAFullRedisIsRelievedByFolding(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond})
	rdb := client(t, srv)
	all := shapes(t, st, rand.New(rand.NewPCG(5, 5)), 200)
	before := see(t, st, all[1].id)
	rdb.ConfigSet(t.Context(), "maxmemory-policy", "noeviction")
	rdb.ConfigSet(t.Context(), "maxmemory", "1mb")
	if _, err := st.Create(t.Context(), spec(), "", ""); execution.CodeOf(err) != execution.StorageFull {
		t.Fatalf("it is not full: %v", err)
	}
	foldNow(t, st)
	if !isFoldedIn(t, rdb, keyOf(rdb, all[1].id)) {
		t.Error("it is not folded")
	}
	rdb.ConfigSet(t.Context(), "maxmemory", "0")
	same(t, 1, see(t, st, all[1].id), before)
}

func TestNothingIsFoldedWhileAnOlderReleaseMayBeThere(t *testing.T) {
	srv := redistest.Start(t)
	rdb := client(t, srv)
	rdb.HSet(t.Context(), "lh:meta", "version", 1, "partitions", 1) // as a release before this one left it
	st := redistest.Open(t, srv, redisstore.Options{FoldAfter: time.Nanosecond})
	l := claim(t, st, create(t, st, spec()))
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		foldNow(t, st)
	}
	if isFoldedIn(t, rdb, keyOf(rdb, l.ID)) {
		t.Error("it was folded at once")
	}
	if wait := untilMillis(rdb.HGet(t.Context(), "lh:meta", "folds")); wait < 23*time.Hour || wait > 25*time.Hour {
		t.Errorf("folding begins in %v", wait)
	}
	rdb.HSet(t.Context(), "lh:meta", "folds", 1)
	foldNow(t, st)
	if !isFoldedIn(t, rdb, keyOf(rdb, l.ID)) {
		t.Error("it was not folded a day later")
	}
}

// Records are read with the dictionary that they were folded with, by every
// release to come.
func TestTheDictionaryNeverChanges(t *testing.T) {
	text, err := os.ReadFile("fold1.txt")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "SHA-256 of fold1.txt", fmt.Sprintf("%x", sha256.Sum256(text)), "ef1a2ebda19d007e4a3a5d1ac291fadff5cb367fe5669e3168308b97784acd2f")
}

func untilMillis(c *redis.StringCmd) time.Duration {
	ms, _ := c.Int64()
	return time.Until(time.UnixMilli(ms))
}
