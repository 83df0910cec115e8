package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Event 1 tells that the execution was accepted, and the record has all that it says. So no log holds it: readers make
// it of the record, and what waits is a record alone. Releases that do not know this find it written as long as they may
// be there (create.lua); who knows reads past it.

// bornFields are those of a record that event 1 is made of.
var bornFields = []string{"created", "queue"}

// firstOf is the entry of event 1, of bornFields. It is none where the record has been taken out by hand.
func firstOf(id execution.ID, record *redis.SliceCmd) ([]entry, error) {
	var values [2]string
	for i, v := range record.Val() {
		values[i], _ = v.(string)
	}
	if values[0] == "" {
		return nil, nil
	}
	return firstEntry(id, values[0], values[1])
}

// first is firstOf, of a folded record.
func (f folded) first(id execution.ID) ([]entry, error) {
	var spec struct{ Queue string }
	if err := json.Unmarshal([]byte(f.fields["spec"]), &spec); err != nil {
		return nil, fmt.Errorf("record %s holds a spec that cannot be read: %w", id, err)
	}
	return firstEntry(id, f.fields["created"], spec.Queue)
}

func firstEntry(id execution.ID, created, queue string) ([]entry, error) {
	at, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("record %s holds an instant that cannot be read: %w", id, err)
	}
	data, err := json.Marshal(struct {
		Status execution.Status `json:"status"`
		Queue  string           `json:"queue"`
	}{execution.Queued, queue})
	if err != nil {
		return nil, err
	}
	event, err := json.Marshal(jsonEvent{T: at, Type: execution.EventStatus, Data: data})
	return []entry{{first: 1, last: 1, enc: encJSON, data: string(event)}}, err
}
