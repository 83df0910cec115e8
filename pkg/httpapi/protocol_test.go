package httpapi

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestTheProtocolDocumentKnowsEveryCodeStatusAndEvent(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for code, k := range kinds {
		want := "`" + string(code) + "` | " + strconv.Itoa(k.status)
		if code == api.CodeUnfinished {
			want = "`execution_failed` | in the `error` event"
		}
		if !strings.Contains(doc, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, status := range execution.Statuses {
		if !strings.Contains(doc, "`"+string(status)+"`") {
			t.Errorf("the status %s is missing", status)
		}
	}
	for _, event := range []execution.EventType{
		execution.EventStatus, execution.EventLog, execution.EventProgress, execution.EventAgent,
		execution.EventArtifact, execution.EventMetrics, execution.EventGap, execution.EventEnd,
	} {
		if !strings.Contains(doc, "| `"+string(event)+"`") {
			t.Errorf("the event %s is missing", event)
		}
	}
}

func TestEveryCodeHasItsPlaceInTheTable(t *testing.T) {
	for _, code := range []execution.Code{
		execution.Invalid, execution.Unauthorized, execution.Forbidden, execution.NotFound, execution.Conflict,
		execution.IdempotencyUsed, execution.TooLarge, execution.QueueFull, execution.Unavailable, execution.StorageFull, execution.Internal,
		api.CodeMalformed, api.CodeMethod, api.CodeMediaType, api.CodeSlowBody, api.CodeUnfinished, api.CodeRangeFailed,
	} {
		if k := kinds[code]; k.status == 0 || k.title == "" || k.explain == "" {
			t.Errorf("%s is not in the table, or not whole", code)
		}
	}
}
