package httpapi

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
)

type queueInput struct {
	Queue string `query:"queue" doc:"Only these queues, with commas between" example:"default,low"`
	Slots string `query:"slots" doc:"MAX_CONCURRENT of the workers to be scaled, 1 to 1000; else what the live ones have" example:"5"`
	Min   string `query:"min" doc:"Fewest replicas, 0 to 1000; 1 if not given" example:"1"`
	Max   string `query:"max" doc:"Most replicas, 1 to 1000; 50 if not given" example:"20"`
}

type queueOutput struct {
	Cache string `header:"Cache-Control"`
	Body  api.QueueStats
}

// Numbers of wanted replicas where nobody says others. defaultSlots is
// MAX_CONCURRENT's default, for when no worker lives.
const (
	maxReplicas     = 1000
	defaultReplicas = 50
	defaultSlots    = 5
)

func (s *Server) queueRoutes() {
	operation(s, metrics, huma.Operation{
		OperationID: "getQueueStats", Method: http.MethodGet, Path: "/queue/stats", Tags: []string{"service"},
		Summary: "How long the line is, and how many workers it wants",
		Description: "For scalers: KEDA's metrics-api, `longhaul autoscale`, a script. METRICS_TOKEN is enough. " +
			"A delayed execution counts from when it may run.",
	}, s.queueStats, http.StatusServiceUnavailable)
}

func (s *Server) queueStats(ctx context.Context, in *queueInput) (*queueOutput, error) {
	body, names, err := in.read()
	if err != nil {
		return nil, err
	}
	stats, err := s.Records.StatsByQueue(ctx)
	if err != nil {
		return nil, err
	}
	var workers []queue.Worker
	if s.Workers != nil {
		if workers, err = s.Workers(ctx); err != nil {
			return nil, err
		}
	}
	var oldest time.Duration
	for _, name := range names {
		line := stats.Lines[name]
		body.Depth += line.Depth
		body.Delayed += line.Delayed
		body.Running += line.Running
		body.ThroughputPerMinute += line.PerMinute
		oldest = max(oldest, line.Oldest)
		body.Queues[name] = api.QueueLine{Depth: line.Depth, Delayed: line.Delayed, OldestAgeSeconds: seconds(line.Oldest), Running: line.Running, ThroughputPerMinute: rate(line.PerMinute)}
	}
	body.OldestAgeSeconds = seconds(oldest)
	addWorkers(body, names, workers)
	body.WantedReplicas = wantedReplicas(body)
	body.ThroughputPerMinute = rate(body.ThroughputPerMinute)
	free := body.Running < body.Capacity
	body.ExpectedWaitSeconds = expectedWait(body.Depth, body.ThroughputPerMinute, free)
	for name, line := range body.Queues {
		line.ExpectedWaitSeconds = expectedWait(line.Depth, line.ThroughputPerMinute, free && line.Capacity > 0)
		body.Queues[name] = line
	}
	return &queueOutput{Cache: "no-store", Body: *body}, nil
}

// read takes what the caller says: bounds, slots or 0, and the queues.
func (in *queueInput) read() (body *api.QueueStats, names []string, err error) {
	body = &api.QueueStats{Queues: map[string]api.QueueLine{}}
	var problems []error
	take := func(into *int, name, value string, low, def int) {
		n, err := number(name, value, low, maxReplicas, def)
		*into, problems = n, append(problems, err)
	}
	take(&body.SlotsPerWorker, "slots", in.Slots, 1, 0)
	take(&body.MinReplicas, "min", in.Min, 0, 1)
	take(&body.MaxReplicas, "max", in.Max, 1, max(defaultReplicas, body.MinReplicas))
	if body.MinReplicas > body.MaxReplicas {
		problems = append(problems, execution.InvalidField("min", "must not be more than max"))
	}
	for name := range strings.FieldsFuncSeq(in.Queue, func(r rune) bool { return r == ',' || r == ' ' }) {
		if !slices.Contains(execution.Queues, name) {
			problems = append(problems, execution.InvalidField("queue", "must be of "+strings.Join(execution.Queues, ", ")+", with commas between"))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = execution.Queues
	}
	return body, names, mergeInvalid(problems...)
}

// addWorkers counts those that take from one of the queues.
func addWorkers(body *api.QueueStats, names []string, workers []queue.Worker) {
	fewest := 0
	for _, w := range workers {
		serves := false
		for _, name := range names {
			if !slices.Contains(w.Queues, name) {
				continue
			}
			serves = true
			if line := body.Queues[name]; !w.Draining {
				line.Capacity += int64(w.Slots)
				body.Queues[name] = line
			}
		}
		switch {
		case !serves:
		case w.Draining:
			body.Draining++
		default:
			body.Workers++
			body.Capacity += int64(w.Slots)
			if fewest == 0 || w.Slots < fewest {
				fewest = w.Slots
			}
		}
	}
	if body.SlotsPerWorker == 0 {
		body.SlotsPerWorker = fewest
	}
	if body.SlotsPerWorker == 0 {
		body.SlotsPerWorker = defaultSlots
	}
}

// wantedReplicas gives each that waits or runs a slot. What runs may have begun
// under a higher maximum: nothing of it is given up.
func wantedReplicas(s *api.QueueStats) int {
	workers := func(executions int64) int {
		slots := int64(s.SlotsPerWorker)
		return int((executions + slots - 1) / slots)
	}
	wanted := min(max(workers(s.Depth+s.Running), s.MinReplicas), s.MaxReplicas)
	return max(wanted, workers(s.Running))
}

// expectedWait is an estimate: who comes now waits until all before it have left
// the line and one more slot is free, at the pace of the last minutes. nil says
// that there was none to go by.
func expectedWait(depth int64, perMinute float64, free bool) *float64 {
	var wait float64
	switch {
	case free && depth == 0:
	case perMinute <= 0:
		return nil
	default:
		wait = math.Round(60 * float64(depth+1) / perMinute)
	}
	return &wait
}

func rate(perMinute float64) float64 { return math.Round(perMinute*100) / 100 }

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
