package execution

import "time"

// ListQuery selects executions, newest first. Zero fields do not filter.
type ListQuery struct {
	Status []Status
	Engine string            // Spec.Name: an engine, or a command
	Labels map[string]string // all must match
	Since  time.Time         // created at or after
	Until  time.Time         // created before
	Worker string            // that runs or ran the newest attempt
	Text   string            // in id, command line, engine or labels, whatever its case
	Limit  int
	Cursor string // ListPage.Next of the page before; opaque
}

// ListPage is one page of a list.
type ListPage struct {
	Records []*Record
	Next    string // "" on the last page
	// Short says that the page is not full because enough was looked at: there may
	// be more at Next, or nothing.
	Short bool
}

// QueueStats describes the lines at one moment.
type QueueStats struct {
	Running int64           // of all queues
	Lines   map[string]Line // by name, each of Queues
}

// Line is one queue.
type Line struct {
	Depth   int64         // wait for a worker
	Delayed int64         // may not run yet: a delay, or the pause before another attempt
	Oldest  time.Duration // how long the first has waited since it may run; 0 when none does
	Running int64         // 0 where nobody asked

	PerMinute float64 // how many have run and ended a minute, lately; 0 where nobody asked
}
