package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// kind is one of the ways in which an execution comes and goes.
type kind struct {
	share  int // of a hundred
	name   string
	ask    func(f *flood, i int) api.StartRequest
	cancel bool             // as soon as it is accepted
	status execution.Status // its end
	reason execution.Reason
}

var kinds = []kind{
	{share: 36, name: "success", ask: sh("exit 0"), status: execution.Completed},
	{share: 8, name: "failure", ask: sh("exit 3"), status: execution.Failed},
	{share: 8, name: "labels", ask: labelled, status: execution.Completed},
	{share: 9, name: "log", ask: sh(`i=0; while [ $i -lt 50 ]; do echo "line $i of $EXECUTION_ID with some words"; echo "$i" >&2; i=$((i+1)); done`), status: execution.Completed},
	{share: 7, name: "artifacts", ask: sh(`cd "$EXECUTION_OUTPUT_DIR" && mkdir a && echo 1 >a/one && echo 2 >two && echo '{"n":1}' >"$EXECUTION_RESULT_FILE"`), status: execution.Completed},
	{share: 3, name: "webhook", ask: hooked("/ok"), status: execution.Completed},
	{share: 1, name: "webhook that never arrives", ask: hooked("/never"), status: execution.Completed},
	{share: 1, name: "timeout", ask: overtime, status: execution.Timeout, reason: execution.ReasonTimeout},
	{share: 1, name: "cancel", ask: sh("exec sleep 600"), cancel: true, status: execution.Cancelled},
	{share: 9, name: "cancel while delayed", ask: delayed, cancel: true, status: execution.Cancelled},
	{share: 9, name: "cancel while queued", ask: unserved, cancel: true, status: execution.Cancelled},
	{share: 8, name: "queue timeout", ask: impatient, status: execution.Timeout, reason: execution.ReasonQueueWait},
}

func sh(script string) func(*flood, int) api.StartRequest {
	return func(*flood, int) api.StartRequest {
		return api.StartRequest{Command: "sh", Args: []string{"-c", script}, TimeoutSeconds: 600}
	}
}

func labelled(f *flood, i int) api.StartRequest {
	r := sh("exit 0")(f, i)
	r.Queue, r.Labels = "critical", map[string]string{"number": strconv.Itoa(i), "tenant": "t" + strconv.Itoa(i%100)}
	return r
}

func hooked(path string) func(*flood, int) api.StartRequest {
	return func(f *flood, i int) api.StartRequest {
		r := sh("exit 0")(f, i)
		r.WebhookURL = f.receiver.URL + path
		return r
	}
}

func overtime(f *flood, i int) api.StartRequest {
	r := sh("exec sleep 600")(f, i)
	r.TimeoutSeconds = 1
	return r
}

func delayed(f *flood, i int) api.StartRequest {
	r := sh("exit 0")(f, i)
	r.DelaySeconds = 600
	return r
}

func unserved(f *flood, i int) api.StartRequest {
	r := sh("exit 0")(f, i)
	r.Queue = "low"
	return r
}

func impatient(f *flood, i int) api.StartRequest {
	r := unserved(f, i)
	r.QueueTimeoutSeconds = 1
	return r
}

// kindOf spreads the kinds evenly over the numbers: each of the first ones is
// another, and the others are as frequent as they say.
func kindOf(i int) kind {
	if i < len(kinds) {
		return kinds[i]
	}
	at := i * 37 % 100 // 37 and 100 have no common divisor
	for _, k := range kinds {
		if at -= k.share; at < 0 {
			return k
		}
	}
	panic("the shares are not a hundred")
}

// flood starts executions from many clients at once.
type flood struct {
	s         *system
	receiver  *httptest.Server
	delivered atomic.Int32

	mu   sync.Mutex // guards below
	ways map[string]int
}

func newFlood(s *system) *flood {
	f := &flood{s: s, ways: map[string]int{}}
	f.receiver = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/never") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		f.delivered.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	s.t.Cleanup(f.receiver.Close)
	return f
}

const (
	requeue    = "requeue"
	workerLost = "its worker was lost"
)

const (
	clients = 16
	// batch is how many one client has under way; the first is asked for again
	// well before its retention is over.
	batch = 50
)

// run starts those with the numbers from up to to, sees each of them end as it
// should, and kills the workers on the way.
func (f *flood) run(from, to int) {
	f.s.t.Helper()
	var next atomic.Int64
	next.Store(int64(from))
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for !f.s.t.Failed() {
				begin := int(next.Add(batch)) - batch
				if begin >= to {
					return
				}
				f.some(begin, min(begin+batch, to))
			}
		})
	}
	all.Go(func() {
		if comes(20*time.Minute, func() bool { return int(next.Load()) > (from+to)/2 || f.s.t.Failed() }) {
			f.deaths()
		}
	})
	all.Wait()
	if f.s.t.Failed() {
		f.s.t.FailNow()
	}
}

// some starts a batch and waits for it.
func (f *flood) some(from, to int) {
	ids := make([]execution.ID, to-from)
	for n := range ids {
		i := from + n
		k := kindOf(i)
		key := fmt.Sprintf("number-%d", i)
		for range 1 + i%2 { // every other one is asked for twice
			started, err := f.s.client.Start(f.s.ctx, k.ask(f, i), key)
			if err != nil {
				f.s.t.Errorf("start %s: %v", k.name, err)
				return
			}
			if ids[n] != "" && ids[n] != started.ID {
				f.s.t.Errorf("one idempotency key made %s and %s", ids[n], started.ID)
			}
			ids[n] = started.ID
		}
		if k.cancel {
			if _, err := f.s.client.Cancel(f.s.ctx, ids[n], 0); err != nil {
				f.s.t.Errorf("cancel %s: %v", k.name, err)
			}
		}
	}
	for n, id := range ids {
		f.await(kindOf(from+n), id)
	}
}

// await sees the end of one, which may be its worker's.
func (f *flood) await(k kind, id execution.ID) {
	e, err := f.s.client.Wait(f.s.ctx, id)
	if err != nil {
		f.s.t.Errorf("%s (%s): %v", id, k.name, err)
		return
	}
	end := value(e.Reason)
	lost := end == execution.ReasonWorkerLost
	if !lost && (e.Status != k.status || k.reason != "" && end != k.reason) {
		f.s.t.Errorf("%s (%s) ended as %s (%s: %s)", id, k.name, e.Status, end, value(e.ErrorMessage))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if lost {
		f.ways[workerLost]++
	} else {
		f.ways[k.name]++
	}
}

// deaths kills each worker while it holds some that are to be run again and
// some that are not, and starts it again.
func (f *flood) deaths() {
	again, never := kind{name: requeue, status: execution.Completed}, kind{name: workerLost, status: execution.Errored}
	hold := sh(`[ "$EXECUTION_ATTEMPT" -gt 1 ] || exec sleep 600`)
	var ids [10]execution.ID
	for i := range ids {
		r := hold(f, i)
		if i%2 == 0 {
			r.OnInterrupt, r.MaxAttempts = "requeue", 9
		}
		started, err := f.s.client.Start(f.s.ctx, r, "")
		if err != nil {
			f.s.t.Errorf("start %s: %v", again.name, err)
			return
		}
		ids[i] = started.ID
	}
	for _, w := range f.s.workers {
		if !comes(time.Minute, func() bool { return f.none(execution.Queued, ids[:]) }) {
			f.s.t.Error("what is to be lost does not begin to run")
			return
		}
		w.kill()
		w.start()
	}
	for i, id := range ids {
		if i%2 == 0 {
			f.await(again, id)
		} else {
			f.await(never, id)
		}
	}
}

// none says that none of them has the status.
func (f *flood) none(status execution.Status, ids []execution.ID) bool {
	return !slices.ContainsFunc(ids, func(id execution.ID) bool {
		e, err := f.s.client.Status(f.s.ctx, id)
		return err != nil || e.Status == status
	})
}

// check holds what has happened against what should have.
func (f *flood) check(n int) {
	f.s.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	sum, lost := 0, f.ways[workerLost]
	for _, k := range append(kinds, kind{name: requeue}) {
		if f.ways[k.name] == 0 {
			f.s.t.Errorf("none has gone the way %q", k.name)
		}
	}
	for _, c := range f.ways {
		sum += c
	}
	if sum < n || lost == 0 || lost > n/20 {
		f.s.t.Errorf("%d executions ended, want %d at least; with %d the worker was lost", sum, n, lost)
	}
	if f.delivered.Load() == 0 {
		f.s.t.Error("no webhook came")
	}
}
