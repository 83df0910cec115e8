package httpapi

import (
	"context"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/execution"
)

// submitWithFiles keeps the files first, those of an upload or of the execution
// that is run again, under the id that the new execution will have. Nothing is
// left of them when nothing was started.
func (s *Server) submitWithFiles(ctx context.Context, spec execution.Spec, o dispatch.Options, up *upload) (receipt dispatch.Receipt, err error) {
	if o.ID, err = s.Dispatcher.NewID(ctx, o); err != nil {
		return receipt, err
	}
	started := false
	defer func() {
		if !started {
			s.dropInputs(ctx, o.ID)
		}
	}()
	switch {
	case up != nil:
		spec.Files, err = up.keep(ctx, s.Inputs, o.ID)
	case s.Inputs == nil:
		err = execution.InvalidField("files", "cannot be taken over: this server has no store for files (the setting ARTIFACTS_URL)")
	default:
		err = s.copyInputs(ctx, spec.RerunOf, o.ID, spec.Files)
	}
	if err != nil {
		return receipt, err
	}
	receipt, err = s.Dispatcher.Submit(ctx, spec, o)
	started = s.wasAccepted(ctx, o.ID, receipt, err)
	return receipt, err
}

func (s *Server) copyInputs(ctx context.Context, from, to execution.ID, files []execution.File) error {
	err := artifact.CopyInputs(ctx, s.Inputs, from, to, files)
	switch execution.CodeOf(err) {
	case "":
		return nil
	case execution.NotFound:
		return &execution.Error{Code: execution.NotFound, Message: "the files of this execution are no longer in the store (the setting ARTIFACTS_URL): start it with its files again", Err: err}
	}
	return storeAway(err)
}

// wasAccepted says whether there is an execution under id. An error of Redis
// leaves that open: then the record says so.
func (s *Server) wasAccepted(ctx context.Context, id execution.ID, r dispatch.Receipt, err error) bool {
	switch execution.CodeOf(err) {
	case "":
		return !r.Replayed
	case execution.QueueFull, execution.IdempotencyUsed, execution.StorageFull:
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	_, err = s.Records.Get(ctx, id)
	return execution.CodeOf(err) != execution.NotFound
}

// cleanUpTime bounds what is done for a request that may have ended.
const cleanUpTime = 10 * time.Second

func (s *Server) dropInputs(ctx context.Context, id execution.ID) {
	if s.Inputs == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	if err := s.Inputs.Delete(ctx, id); err != nil {
		s.Logger.ErrorContext(ctx, "files of a request that started nothing are left in the store", "execution_id", id, "error", err)
	}
}
