// Command mercure runs commands and publishes their lines through the Mercure hub,
// used as a library: its own SSE handler, its own in-memory transport, no Caddy, no
// JWT. It has a module of its own so that the hub's dependencies stay out of ours.
//
// In its favour: lines are published in process instead of one HTTP request each,
// with short ids in place of UUIDs and no log; there is no limit on how long a
// subscriber stays; and a job waits for subscribers instead of losing them: the hub
// disconnects whoever is 1000 updates behind, and its in-memory transport has no
// history to catch up from.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dunglas/mercure"
)

func main() {
	ctx := context.Background()
	concurrency, err := strconv.Atoi(os.Getenv("CONCURRENCY"))
	if err != nil {
		log.Fatal("CONCURRENCY: ", err)
	}
	transport := &patientTransport{LocalTransport: mercure.NewLocalTransport(mercure.NewSubscriberList(mercure.DefaultSubscriberListCacheSize))}
	hub, err := mercure.NewHub(ctx,
		mercure.WithAnonymous(),
		mercure.WithTransport(transport),
		mercure.WithLogger(slog.New(slog.DiscardHandler)),
		mercure.WithWriteTimeout(0),
	)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{hub: hub, transport: transport, slots: make(chan struct{}, concurrency)}
	http.HandleFunc("POST /jobs", s.submit)
	http.HandleFunc("GET /jobs/{id}/stream", s.stream)
	http.HandleFunc("GET /done", s.done)
	// Start nothing: what stopping the workers is for the others.
	http.HandleFunc("POST /pause", func(http.ResponseWriter, *http.Request) { s.pause(true) })
	http.HandleFunc("POST /resume", func(http.ResponseWriter, *http.Request) { s.pause(false) })
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

type server struct {
	hub       *mercure.Hub
	transport *patientTransport
	slots     chan struct{}

	ids, finished, failed atomic.Int64

	gate   sync.RWMutex // held for writing while paused
	paused atomic.Bool
}

func (s *server) pause(wanted bool) {
	switch {
	case s.paused.Swap(wanted) == wanted:
	case wanted:
		s.gate.Lock()
	default:
		s.gate.Unlock()
	}
}

type job struct {
	Cmd  string   `json:"cmd"`
	Args []string `json:"args"`
}

func (s *server) submit(w http.ResponseWriter, r *http.Request) {
	var j job
	if err := json.NewDecoder(r.Body).Decode(&j); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := strconv.FormatInt(s.ids.Add(1), 10)
	go s.run(id, j)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id})
}

func (s *server) done(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]int64{"done": s.finished.Load(), "failed": s.failed.Load()})
}

// stream hands the request to the hub as a subscription to the job's topic.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	r.URL.RawQuery = url.Values{"topic": {r.PathValue("id")}}.Encode()
	s.hub.SubscribeHandler(w, r)
}

func (s *server) run(id string, j job) {
	s.slots <- struct{}{}
	s.gate.RLock()
	s.gate.RUnlock() //nolint:staticcheck // only to wait for the end of a pause
	err := s.execute(id, j)
	<-s.slots
	end := &mercure.Update{Topics: []string{id}, Event: mercure.Event{Type: "end", Data: "0"}}
	if err != nil {
		end.Data = err.Error()
		s.failed.Add(1)
	}
	s.finished.Add(1)
	s.transport.ended.Store(id, end)
	if err := s.transport.Dispatch(context.Background(), end); err != nil {
		log.Print(err)
	}
}

func (s *server) execute(id string, j job) error {
	cmd := exec.Command(j.Cmd, j.Args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = s.publish(id, bufio.NewReaderSize(out, 64<<10))
	return errors.Join(err, cmd.Wait())
}

func (s *server) publish(id string, out *bufio.Reader) error {
	for n := 1; ; n++ {
		line, err := out.ReadBytes('\n')
		if len(line) == 0 { // read errors of a pipe are its end: the exit code says the rest
			return nil
		}
		update := &mercure.Update{
			Topics: []string{id},
			Event:  mercure.Event{ID: strconv.Itoa(n), Data: string(bytes.TrimSuffix(line, []byte("\n")))},
		}
		if err := s.transport.Dispatch(context.Background(), update); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

// patientTransport is the hub's in-memory transport that waits for slow subscribers,
// at most as long as the hub gives a write (5 s), and tells late ones the end.
type patientTransport struct {
	*mercure.LocalTransport
	ended sync.Map // topic → *mercure.Update

	mu          sync.Mutex
	subscribers map[*mercure.LocalSubscriber]struct{}
}

// most is how far behind a subscriber may be, of the 1000 at which the hub disconnects it.
const most = 900

func (t *patientTransport) AddSubscriber(ctx context.Context, s *mercure.LocalSubscriber) error {
	if err := t.LocalTransport.AddSubscriber(ctx, s); err != nil {
		return err
	}
	t.mu.Lock()
	if t.subscribers == nil {
		t.subscribers = map[*mercure.LocalSubscriber]struct{}{}
	}
	t.subscribers[s] = struct{}{}
	t.mu.Unlock()
	for _, topic := range s.SubscribedTopics {
		if end, ok := t.ended.Load(topic); ok {
			s.Dispatch(ctx, end.(*mercure.Update), false)
		}
	}
	return nil
}

func (t *patientTransport) RemoveSubscriber(ctx context.Context, s *mercure.LocalSubscriber) error {
	t.mu.Lock()
	delete(t.subscribers, s)
	t.mu.Unlock()
	return t.LocalTransport.RemoveSubscriber(ctx, s)
}

func (t *patientTransport) Dispatch(ctx context.Context, update *mercure.Update) error {
	if t.full() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for t.full() {
			<-tick.C
		}
	}
	return t.LocalTransport.Dispatch(ctx, update)
}

func (t *patientTransport) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.subscribers {
		if len(s.Receive()) >= most {
			return true
		}
	}
	return false
}
