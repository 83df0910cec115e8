package execution

import "time"

// ListQuery selects executions, newest first. Zero fields do not filter.
type ListQuery struct {
	Status []Status
	Engine string            // Spec.Name: an engine, or a command
	Labels map[string]string // all must match
	Since  time.Time         // created at or after
	Limit  int
	Cursor string // ListPage.Next of the page before; opaque
}

// ListPage is one page of a list.
type ListPage struct {
	Records []*Record
	Next    string // "" on the last page
}

// QueueStats describes the line.
type QueueStats struct {
	Queued  int64
	Running int64
}
