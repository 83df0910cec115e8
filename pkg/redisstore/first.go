package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Event 1 tells that the execution was accepted, and the record has all that it says. So no log holds it: readers make
// it of the record, and what waits is a record alone. Releases that do not know this find it written as long as they may
// be there (create.lua); who knows reads past it.

// bornFields are those of a record that event 1 is made of.
var bornFields = []string{"created", "queue"}

// beginning is what a record of that kind (TYPE) has of the log: all of it where it is folded whole, and of bornFields
// the entry of event 1, which is none where the record has been taken out by hand. Who does not ask for event 1 has no born.
func (s *Store) beginning(ctx context.Context, id execution.ID, kind string, born *redis.SliceCmd) (first []entry, f folded, err error) {
	switch kind {
	case "none":
		return nil, f, gone(id)
	case "string":
		if f, err = s.getFolded(ctx, id); err != nil || born == nil {
			return nil, f, err
		}
		var spec struct{ Queue string }
		if err := json.Unmarshal([]byte(f.fields["spec"]), &spec); err != nil {
			return nil, f, fmt.Errorf("record %s holds a spec that cannot be read: %w", id, err)
		}
		first, err = firstEntry(id, f.fields["created"], spec.Queue)
		return first, f, err
	}
	if born == nil {
		return nil, f, nil
	}
	var values [2]string
	for i, v := range born.Val() {
		values[i], _ = v.(string)
	}
	if values[0] == "" {
		return nil, f, nil
	}
	first, err = firstEntry(id, values[0], values[1])
	return first, f, err
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
	e := execution.Event{Type: execution.EventStatus, Time: time.UnixMilli(at), Data: data}
	return []entry{{first: 1, last: 1, enc: encBatch, data: string(execution.AppendEvent(nil, &e))}}, nil
}
