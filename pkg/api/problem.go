package api

import "github.com/longhaul/longhaul/pkg/execution"

// Problem is every error body: RFC 9457 problem details, as
// application/problem+json. It never repeats a value of the request.
type Problem struct {
	Type      string            `json:"type" format:"uri-reference" doc:"Where this kind of problem is explained" example:"/problems/invalid"`
	Title     string            `json:"title" doc:"The kind of problem, the same each time" example:"The request is not valid"`
	Status    int               `json:"status" doc:"The HTTP status" example:"422"`
	Detail    string            `json:"detail" doc:"The cause, and the setting to change" example:"the request is not valid"`
	Code      execution.Code    `json:"code" doc:"The kind of problem as a stable word, for programs" example:"invalid"`
	Instance  string            `json:"instance" format:"uri-reference" doc:"The path that was asked for" example:"/execute/start"`
	RequestID string            `json:"request_id" doc:"Also in X-Request-Id and in the server's log" example:"k3v9x2m7qa"`
	Errors    []execution.Field `json:"errors,omitempty" nullable:"false" doc:"Each field that is wrong"`

	ExecutionID     execution.ID     `json:"execution_id,omitempty" doc:"The execution this is about, where that helps"`
	ExecutionStatus execution.Status `json:"execution_status,omitempty" doc:"With code conflict: the status in which the execution ended"`
}

// Codes beside those of package execution, for what only HTTP knows.
const (
	CodeMalformed   execution.Code = "malformed"              // the body is no JSON
	CodeMethod      execution.Code = "method_not_allowed"     // the route exists, not with this method
	CodeMediaType   execution.Code = "unsupported_media_type" // the body is not application/json
	CodeSlowBody    execution.Code = "request_timeout"        // the body came too slowly
	CodeUnfinished  execution.Code = "execution_failed"       // POST /agent/run: the engine did not complete
	CodeUpgrade     execution.Code = "upgrade_required"       // the route speaks WebSocket
	CodeRangeFailed execution.Code = "range_not_satisfiable"  // a download's Range lies outside the file
)

// Error implements error.
func (p *Problem) Error() string {
	s := p.Detail
	for _, f := range p.Errors {
		s += "; " + f.Location + " " + f.Message
	}
	return s
}

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType replaces that of JSON by that of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }
