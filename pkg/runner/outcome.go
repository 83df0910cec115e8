package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// maxResult bounds the JSON that goes into the record; larger data is an artifact's place.
const maxResult = 1 << 20

// kept is what collect found.
type kept struct {
	files    int
	problems []string
}

// notStarted is the outcome of an attempt without a process.
func (a *attempt) notStarted(ctx context.Context, err error) redisstore.Settlement {
	o := execution.Outcome{
		Status: execution.Errored, Reason: execution.ReasonStartFailed, Attempt: a.lease.Attempt, Worker: a.r.o.Worker,
		Message: a.redactor.RedactString(explainStart(err)),
	}
	if errors.Is(err, engine.ErrUnknown) {
		o.Reason = execution.ReasonUnknown
	}
	s := redisstore.Settlement{}
	// Back in line whatever on_interrupt says, since no engine was started.
	again := a.lease.Attempt < a.spec.MaxAttempts+moreTries
	if end := (stopped{}); errors.As(err, &end) {
		s.Requeue = a.stoppedBy(end.why, &o) || end.why == causeInterrupt && again
	}
	a.log.WarnContext(ctx, "engine not started", "error", err)
	if _, ok := errors.AsType[*diskError](err); ok && again {
		// To another worker, or to this one when it has room.
		s.Requeue, s.Backoff = true, backoff(a.lease.Attempt)
		_ = a.r.room.look() // only for what Full says
	}
	s.Outcome = o
	return s
}

// stoppedBy is the outcome of an attempt that somebody ended, engine or not.
func (a *attempt) stoppedBy(why cause, o *execution.Outcome) (requeue bool) {
	if why == causeInterrupt {
		o.Status, o.Reason = execution.Errored, execution.ReasonInterrupted
		o.Message = "the worker was told to stop (a deploy or a restart) before the engine had finished"
		return a.mayFollow()
	}
	o.Status, o.Reason, o.Message = execution.Cancelled, execution.ReasonCancelled, "cancelled on request"
	return false
}

// explainStart gives the caller what is theirs to know: not the worker's paths.
func explainStart(err error) string {
	if e := (*inputError)(nil); errors.As(err, &e) {
		return e.explain()
	}
	if e := (*execution.Error)(nil); errors.As(err, &e) {
		text := e.Message
		for _, f := range e.Fields {
			text += "; " + f.Location + " " + f.Message
		}
		return text
	}
	if e := (*process.StartError)(nil); errors.As(err, &e) {
		return fmt.Sprintf("the engine could not be started (%s): %v", e.Op, e.Err)
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fmt.Sprintf("the worker could not make the engine's folder (the setting WORKDIR of the worker): %s: %v", e.Op, e.Err)
	}
	return "the engine could not be started: " + err.Error()
}

// outcome makes one fact of the cause and the exit.
func (a *attempt) outcome(why cause) redisstore.Settlement {
	exit := a.process.Exit()
	o := execution.Outcome{
		Attempt: a.lease.Attempt, Worker: a.r.o.Worker,
		CPUSeconds:      (exit.CPUUser + exit.CPUSystem).Seconds(),
		PeakMemoryBytes: exit.PeakMemory, Leftovers: exit.Leftovers,
		GroupEmptyAt: instant(exit.GoneAt), SignalSentAt: instant(firstSignal(exit)),
		Artifacts: a.dir.artifacts.files,
	}
	if exit.Signal != 0 {
		o.Signal = unix.SignalName(exit.Signal)
	} else if !exit.ShimLost {
		o.ExitCode = &exit.Code
	}
	s := redisstore.Settlement{}
	result, problem := a.result()
	s.Result = result
	switch why {
	case causeTimeout:
		o.Status, o.Reason = execution.Timeout, execution.ReasonTimeout
		o.Message = fmt.Sprintf("ran past its timeout of %v and was ended; raise timeout_seconds (limit: MAX_EXECUTION_DURATION)", a.spec.Timeout())
	case causeIdle:
		o.Status, o.Reason = execution.Timeout, execution.ReasonNoProgress
		o.Message = fmt.Sprintf("declared no progress for %v and was ended (progress_timeout in engines.yaml)", a.clocks.progressTimeout)
	case causeCancel, causeInterrupt:
		s.Requeue = a.stoppedBy(why, &o)
	case causeNone, causeFenced:
		o.Status, o.Reason, o.Message = a.ownEnd(exit)
	}
	if extra := strings.Join(append(a.dir.artifacts.problems, problem...), "; "); extra != "" {
		o.Message = strings.TrimPrefix(o.Message+"; "+extra, "; ")
	}
	o.Message = a.redactor.RedactString(o.Message)
	s.Outcome = o
	return s
}

// ownEnd is the outcome of an engine that nobody ended.
func (a *attempt) ownEnd(exit process.Exit) (execution.Status, execution.Reason, string) {
	switch {
	case exit.ShimLost:
		return execution.Errored, execution.ReasonShimLost, "the process that watches the engine was killed from outside, perhaps for memory; the engine was ended with it"
	case exit.Success():
		return execution.Completed, execution.ReasonExited, ""
	}
	memory := process.MemoryKills() > a.killed
	switch {
	case exit.Signal == unix.SIGKILL && memory:
		return execution.Failed, execution.ReasonMemory, a.withTail("out of memory: the kernel killed it with SIGKILL; give the worker's container more memory, or lower MAX_CONCURRENT or what the engine takes")
	case exit.Signal == unix.SIGKILL:
		return execution.Failed, execution.ReasonSignal, a.withTail("killed by SIGKILL, which was not sent by Longhaul: most often the machine ran out of memory")
	case exit.Signal != 0:
		return execution.Failed, execution.ReasonSignal, a.withTail("died of " + unix.SignalName(exit.Signal))
	}
	end := fmt.Sprintf("exited with code %d", exit.Code)
	if memory { // a child of it perhaps, or an engine beside it: its own words will tell
		end += ", while the kernel killed a process of this worker for want of memory"
	}
	return execution.Failed, execution.ReasonExitCode, a.withTail(end)
}

// withTail adds the engine's last words, which most often say what was wrong.
func (a *attempt) withTail(what string) string {
	if tail := strings.TrimSpace(a.writer.Tail()); tail != "" {
		return what + "; its last lines:\n" + tail
	}
	return what
}

// collect keeps the engine's files, and tells subscribers of each.
func (a *attempt) collect(ctx context.Context) kept {
	if a.dir.plain() && a.dir.spare.noOutputs(a.dir.root) {
		return kept{}
	}
	emit := func(i artifact.Info) {
		data, err := json.Marshal(i)
		if err == nil {
			err = a.writer.Emit(execution.Event{Type: execution.EventArtifact, Time: time.Now(), Attempt: a.lease.Attempt, Data: data})
		}
		if err != nil {
			a.log.WarnContext(ctx, "artifact not announced", "path", i.Path, "error", err)
		}
	}
	// A slow store must not use up a drain: the outcome matters more.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.r.giveUp:
			cancel()
		case <-ctx.Done():
		}
	}()
	sum, err := artifact.Collect(ctx, a.r.artifacts, a.lease.ID, a.dir.outputs(), a.r.o.ArtifactLimits, emit)
	if err != nil {
		a.log.ErrorContext(ctx, "artifacts not kept", "error", err)
		return kept{files: sum.Files, problems: append(sum.Problems, "files of EXECUTION_OUTPUT_DIR could not be kept")}
	}
	return kept{files: sum.Files, problems: sum.Problems}
}

// result reads EXECUTION_RESULT_FILE. No file is no problem.
func (a *attempt) result() (result json.RawMessage, problem []string) {
	f, err := os.OpenFile(a.dir.result(), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0) // a fifo or link must not hold or mislead us
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []string{"EXECUTION_RESULT_FILE cannot be read"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxResult+1))
	switch {
	case err != nil:
		return nil, []string{"EXECUTION_RESULT_FILE cannot be read"}
	case len(data) > maxResult:
		return nil, []string{"EXECUTION_RESULT_FILE is larger than 1 MiB: write large data to EXECUTION_OUTPUT_DIR"}
	case len(strings.TrimSpace(string(data))) == 0:
		return nil, nil
	case !json.Valid(data):
		return nil, []string{"EXECUTION_RESULT_FILE holds no valid JSON"}
	}
	return a.redactor.RedactJSON(data), nil
}

func firstSignal(e process.Exit) time.Time {
	if e.TermSentAt.IsZero() {
		return e.KillSentAt
	}
	return e.TermSentAt
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
