package httpapi

import (
	"net/http"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// kind is what a code means over HTTP.
type kind struct {
	status  int
	title   string
	retry   string // Retry-After in seconds: the request may work unchanged by then
	explain string // for /problems/<code>
}

// kinds maps each code to HTTP, in this one place.
var kinds = map[execution.Code]kind{
	execution.Invalid: {
		http.StatusUnprocessableEntity, "The request is not valid", "",
		"A field has a value that cannot be taken. The list errors names each field and what it must be. Correct them and send the request again.",
	},
	execution.Unauthorized: {
		http.StatusUnauthorized, "No valid token", "",
		"Send the header Authorization: Bearer <token> with one of the tokens of the setting API_TOKENS. A stream token (?token=) reads one execution only, and ends after MAX_SSE_DURATION; POST /execute/stream-token/{id} gives a new one.",
	},
	execution.Forbidden: {
		http.StatusForbidden, "Not allowed", "",
		"The token is valid but may not do this, or the catalog does not allow this command.",
	},
	execution.NotFound: {
		http.StatusNotFound, "Not found", "",
		"There is no such route, execution or artifact. An execution is kept for RETENTION after it has ended, then it is gone.",
	},
	execution.Conflict: {
		http.StatusConflict, "The execution's state forbids it", "",
		"The execution has ended already; execution_status says how. A terminal status never changes.",
	},
	execution.IdempotencyUsed: {
		http.StatusConflict, "The idempotency key was used for another request", "",
		"The same Idempotency-Key came with another body before. Use a new key for a new request, and the same key only to repeat one.",
	},
	execution.TooLarge: {
		http.StatusRequestEntityTooLarge, "The body is too large", "",
		"The request body is larger than the setting MAX_REQUEST_BYTES: put large data into a file and send it with the request. Or the files of a request are larger than MAX_UPLOAD_BYTES together.",
	},
	execution.QueueFull: {
		http.StatusTooManyRequests, "The queue is full", "10",
		"As many executions wait as the setting MAX_QUEUE_SIZE allows. Try again after Retry-After, add workers, or raise the setting.",
	},
	execution.Unavailable: {
		http.StatusServiceUnavailable, "Not available now", "5",
		"The server cannot reach Redis (the setting REDIS_URL), or is shutting down. Nothing that was accepted is lost. Try again after Retry-After.",
	},
	execution.StorageFull: {
		http.StatusServiceUnavailable, "The storage is full", "30",
		"Redis has reached its maxmemory and takes nothing new; what was accepted is safe. Raise maxmemory or shorten the setting RETENTION.",
	},
	execution.Internal: {
		http.StatusInternalServerError, "A defect of the server", "",
		"The server's log has the cause under the request_id of this problem.",
	},

	api.CodeMalformed: {
		http.StatusBadRequest, "The body is not JSON", "",
		"The request body could not be read as JSON.",
	},
	api.CodeMethod: {
		http.StatusMethodNotAllowed, "The route does not take this method", "",
		"The header Allow lists the methods that this route takes.",
	},
	api.CodeMediaType: {
		http.StatusUnsupportedMediaType, "The body must be JSON", "",
		"Send the body with Content-Type: application/json, or to POST /execute/start as multipart/form-data.",
	},
	api.CodeSlowBody: {
		http.StatusRequestTimeout, "The body came too slowly", "",
		"The whole request body must arrive within half a minute; of files, something at least every half minute.",
	},
	api.CodeUpgrade: {
		http.StatusUpgradeRequired, "The route speaks WebSocket", "",
		"GET /execute/ws/{id} is for WebSocket clients. GET /execute/stream/{id} has the same events as server-sent events.",
	},
	api.CodeRangeFailed: {
		http.StatusRequestedRangeNotSatisfiable, "The range is outside the file", "",
		"The header Range asks for bytes that the artifact does not have; Content-Range says how large it is.",
	},
	api.CodeUnfinished: {
		http.StatusBadGateway, "The execution did not complete", "",
		"POST /agent/run sends this as its error event when the engine failed, was cancelled or ran out of time; execution_status says which.",
	},
}

// codeOfStatus finds the code for errors that come from echo or huma.
func codeOfStatus(status int) execution.Code {
	switch status {
	case http.StatusBadRequest:
		return api.CodeMalformed
	case http.StatusMethodNotAllowed:
		return api.CodeMethod
	case http.StatusUnsupportedMediaType:
		return api.CodeMediaType
	case http.StatusRequestTimeout:
		return api.CodeSlowBody
	case http.StatusNotFound:
		return execution.NotFound
	case http.StatusRequestEntityTooLarge:
		return execution.TooLarge
	case http.StatusUnprocessableEntity:
		return execution.Invalid
	}
	return execution.Internal
}
