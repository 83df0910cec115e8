package httpapi

import (
	"context"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/hub"
)

// Dispatcher starts and cancels executions.
type Dispatcher interface {
	Submit(ctx context.Context, spec execution.Spec, o dispatch.Options) (dispatch.Receipt, error)
	NewID(ctx context.Context, o dispatch.Options) (execution.ID, error)
	Cancel(ctx context.Context, id execution.ID) (dispatch.CancelReceipt, error)
	Kill(ctx context.Context, id execution.ID) (dispatch.CancelReceipt, error)
}

// Records reads snapshots: of executions, and of who runs them.
type Records interface {
	Get(ctx context.Context, id execution.ID) (*execution.Record, error)
	Position(ctx context.Context, rec *execution.Record) (int, error)
	List(ctx context.Context, q execution.ListQuery) (execution.ListPage, error)
	Counts(ctx context.Context) (map[execution.Status]int64, error)
	StatsByQueue(ctx context.Context) (execution.QueueStats, error)
	Workers(ctx context.Context) ([]execution.Worker, error)
}

// Events reads the log of an execution in order, at least one batch at a time;
// gap events stand for what is gone. Nothing means that there is nothing after
// the cursor yet.
type Events interface {
	Read(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, error)
	// ReadBack gives the newest events before a number, in order, and the number to
	// go on before; 0 at the beginning of the log.
	ReadBack(ctx context.Context, id execution.ID, before execution.Cursor, maxBytes int) (events []execution.Event, from execution.Cursor, err error)
}

// Bells says when there may be more to read: a token on ring. A lost ring costs
// time only, since whoever listens also polls.
type Bells interface {
	Listen(id execution.ID) (ring <-chan struct{}, stop func())
}

// Hub fans the frames of EncodeSSE out to many streams.
type Hub interface {
	Subscribe(id execution.ID, after execution.Cursor) *hub.Subscriber
}

// Catalog checks a spec against engines.yaml, fills in what it says, and shows
// what callers may see of it.
type Catalog interface {
	Complete(spec *execution.Spec) error
	Public() []engine.Description
}

// Artifacts reads the files that engines left; artifact.Store has more.
type Artifacts interface {
	List(ctx context.Context, id execution.ID) ([]artifact.Info, error)
	Open(ctx context.Context, id execution.ID, path string) (artifact.Object, error)
}

// Check is the health of one thing that the server depends on.
type Check struct {
	Name   string
	OK     bool
	Detail string
	Since  time.Time // since when it has been so
	// Degrades says of one that is not OK: the process works without it, only not
	// in all things. It is no reason to send callers elsewhere.
	Degrades bool
}
