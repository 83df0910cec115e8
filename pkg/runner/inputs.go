package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
)

// inputsFor bounds how long fetching the files of a request may hold up a slot,
// a store that is away included: gigabytes take minutes.
const inputsFor = 10 * time.Minute

// fetchInputs puts the files that the request brought into the engine's folder.
func (a *attempt) fetchInputs(ctx context.Context) error {
	if len(a.spec.Files) == 0 {
		return nil
	}
	err := a.patiently(ctx, "input files", inputsFor, func(ctx context.Context) error {
		return artifact.FetchInputs(ctx, a.r.o.Checkpoints, a.lease.ID, a.spec.Files, a.dir.inputs())
	})
	switch {
	case errors.Is(err, artifact.ErrInputDisk):
		return &diskError{err}
	case err == nil || errors.As(err, new(stopped)):
		return err
	}
	return &inputError{err}
}

// inputError is that of an attempt without its files.
type inputError struct{ err error }

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// explain is for callers: no paths of ours and no addresses.
func (e *inputError) explain() string {
	switch {
	case errors.Is(e.err, artifact.ErrNone):
		return "the files of the request cannot be read: this worker has no store for files (the setting ARTIFACTS_URL, the same for API and workers)"
	case errors.Is(e.err, artifact.ErrInputChanged):
		return "the files of the request are not in the store as they were brought: is ARTIFACTS_URL the same for API and workers, and a folder that both see?"
	}
	return fmt.Sprintf("the files of the request could not be read within %v: the artifact store does not answer as it should (the setting ARTIFACTS_URL)", inputsFor)
}
