package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// canceller is Longhaul's API, as client.Client calls it.
type canceller interface {
	Cancel(ctx context.Context, id execution.ID, wait time.Duration) (*api.Cancelled, error)
}

// The writes of asynqmon that mean something to Longhaul.
var (
	cancelOne = regexp.MustCompile(`^` + root + `/api/queues/[^/:]+/active_tasks/([^/:]+):cancel$`)
	cancelSet = regexp.MustCompile(`^` + root + `/api/queues/[^/:]+/active_tasks:batch_cancel$`)
	pause     = regexp.MustCompile(`^` + root + `/api/queues/[^/:]+:(pause|resume)$`)
)

const (
	readOnly = "this dashboard is for looking only: MONITORING_ACTIONS=on allows cancel, pause and resume"
	// What runs, waits or is kept is decided by Longhaul's records. A task is only
	// the ticket for one: without it the reaper makes another.
	notHere = "Longhaul decides this by its own records, and would undo it: cancel the execution instead, here while it runs or with POST /execute/cancel/{id}"
)

// write carries out what an operator may do. A cancel is the API's, so that it is
// recorded, answered and carried out as any other; asynqmon's own would only
// signal some worker, and be lost while that one reconnects.
func (d *dashboard) write(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch one := cancelOne.FindStringSubmatch(path); {
	case !sameOrigin(r):
		http.Error(w, otherOrigin, http.StatusForbidden)
	case d.canceller == nil:
		http.Error(w, readOnly, http.StatusForbidden)
	case r.Method == http.MethodPost && one != nil:
		d.cancelOne(w, r, one[1])
	case r.Method == http.MethodPost && cancelSet.MatchString(path):
		d.cancelSet(w, r)
	case r.Method == http.MethodPost && pause.MatchString(path):
		d.log.InfoContext(r.Context(), "operator's action", "path", path)
		d.asynqmon.ServeHTTP(w, r)
	default:
		http.Error(w, notHere, http.StatusForbidden)
	}
}

func (d *dashboard) cancelOne(w http.ResponseWriter, r *http.Request, task string) {
	if err := d.cancel(r.Context(), task); err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// cancelSet answers as asynqmon's page expects it.
func (d *dashboard) cancelSet(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Tasks []string `json:"task_ids"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Tasks) > mostPerPage {
		http.Error(w, `the body must be {"task_ids":[…]} with a page's tasks at most`, http.StatusBadRequest)
		return
	}
	out := map[string][]string{"canceled_ids": {}, "error_ids": {}}
	for _, task := range in.Tasks {
		how := "canceled_ids"
		if d.cancel(r.Context(), task) != nil {
			how = "error_ids"
		}
		out[how] = append(out[how], task)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// cancel asks the API to cancel the execution of a task, which is called <id>.<dispatch>.
func (d *dashboard) cancel(ctx context.Context, task string) error {
	name, _, _ := strings.Cut(task, ".")
	id, err := execution.ParseID(name)
	if err != nil {
		return execution.Errorf(execution.NotFound, "%q is no task of Longhaul's", task)
	}
	if _, err = d.canceller.Cancel(ctx, id, 0); err != nil {
		d.log.WarnContext(ctx, "operator's cancel was refused", "execution_id", id, "error", err)
		return err
	}
	d.log.InfoContext(ctx, "operator cancelled", "execution_id", id)
	return nil
}

func statusOf(err error) int {
	switch execution.CodeOf(err) {
	case execution.NotFound:
		return http.StatusNotFound
	case execution.Conflict:
		return http.StatusConflict
	}
	return http.StatusBadGateway
}
