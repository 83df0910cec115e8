package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// listScan bounds the records that one page may look at, so that a filter that
// matches little cannot read all of Redis; the page then ends early, with a cursor.
const listScan = 2000

// listStep is how many are read at once where a filter may match few.
const listStep = 250

// List returns executions, newest first. It walks the index that fits the
// query best (label, then name, then status) over all partitions and checks
// the rest of the query on the records, so a page costs what it shows when the
// filter is one index, and never more than listScan records.
func (s *Store) List(ctx context.Context, q execution.ListQuery) (execution.ListPage, error) {
	if err := s.ensure(ctx); err != nil {
		return execution.ListPage{}, err
	}
	from, err := parseListCursor(q.Cursor)
	if err != nil {
		return execution.ListPage{}, err
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	if !q.Until.IsZero() {
		from = later(from, place{created: millis(q.Until) - 1, id: top.id})
	}
	step := q.Limit
	if q.Text = strings.ToLower(q.Text); q.Text != "" || q.Worker != "" {
		step = max(step, listStep)
	}
	var page execution.ListPage
	for seen := 0; ; {
		ids, err := s.walk(ctx, indexes(q), from, q.Since, step)
		if err != nil {
			return execution.ListPage{}, err
		}
		records, err := s.records(ctx, ids)
		if err != nil {
			return execution.ListPage{}, err
		}
		for i, r := range records {
			from = ids[i]
			if r == nil || !matches(r, q) {
				continue
			}
			if page.Records = append(page.Records, r); len(page.Records) == q.Limit {
				if i+1 < len(ids) || len(ids) > step {
					page.Next = from.String()
				}
				return page, nil
			}
		}
		if seen += len(ids); len(ids) <= step {
			return page, nil
		}
		if seen >= listScan {
			page.Next, page.Short = from.String(), true
			return page, nil
		}
	}
}

// place is a member of an index: the order of a list is by creation, then id.
type place struct {
	created int64
	id      execution.ID
	folded  bool // its record, as far as the index knows
}

func (p place) String() string { return strconv.FormatInt(p.created, 10) + "." + string(p.id) }

// top is above every id.
var top = place{created: 1<<53 - 1, id: "~"}

func parseListCursor(s string) (place, error) {
	if s == "" {
		return top, nil
	}
	ms, id, ok := strings.Cut(s, ".")
	created, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil || created < 0 {
		return place{}, execution.InvalidField("cursor", "must be the next_cursor of the page before")
	}
	return place{created: created, id: execution.ID(id)}, nil
}

// indexes names the sorted sets that together hold every candidate of a partition.
func indexes(q execution.ListQuery) (names []any) {
	switch {
	case len(q.Labels) > 0:
		k := slices.Min(slices.Collect(maps.Keys(q.Labels)))
		return []any{"label:" + k + "=" + q.Labels[k]}
	case q.Engine != "":
		return []any{"name:" + q.Engine}
	}
	statuses := q.Status
	if len(statuses) == 0 {
		statuses = execution.Statuses
	}
	for _, st := range statuses {
		names = append(names, "status:"+string(st))
	}
	return names
}

// walk merges the indexes of all partitions and returns up to step+1 ids older than from.
func (s *Store) walk(ctx context.Context, names []any, from place, since time.Time, step int) ([]place, error) {
	low := "-inf"
	if !since.IsZero() {
		low = strconv.FormatInt(millis(since), 10)
	}
	var calls []call
	for _, p := range s.prefixes() {
		calls = append(calls, call{[]string{doneKey(p)}, append([]any{p, from.created, low, step + 1}, names...)})
	}
	var all []place
	for _, answer := range s.runAll(ctx, walkScript, calls) {
		both, err := answer.Slice()
		if err != nil {
			return nil, wrap("read list", err)
		}
		for i, lists := range both {
			all = append(all, placesIn(lists, i == 1, from)...)
		}
	}
	slices.SortFunc(all, comparePlaces)
	all = slices.CompactFunc(all, func(a, b place) bool { return a.id == b.id })
	return all[:min(len(all), step+1)], nil
}

// placesIn reads lists of member, score, member, score, ... and leaves out what is before from.
func placesIn(lists any, folded bool, from place) (found []place) {
	all, _ := lists.([]any)
	for _, one := range all {
		members, _ := one.([]any)
		for k := 0; k+1 < len(members); k += 2 {
			id, _ := members[k].(string)
			score, _ := members[k+1].(string)
			if p := (place{int64(atoi(score)), execution.ID(id), folded}); comparePlaces(p, from) > 0 {
				found = append(found, p)
			}
		}
	}
	return found
}

// comparePlaces puts the newest first.
func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.id, a.id))
}

// later is the one of two places that stands further down a list.
func later(a, b place) place {
	if comparePlaces(a, b) > 0 {
		return a
	}
	return b
}

// listFields are all of a record but its result, which may be a mebibyte and
// which no list shows.
var listFields = []string{
	"spec", "status", "attempt", "worker", "created", "eligible", "started", "ended", "cancel",
	"last", "bytes", "progress", "metrics", "outcome", "past",
}

// records reads many at once; nil where one has gone meanwhile.
func (s *Store) records(ctx context.Context, ids []place) ([]*execution.Record, error) {
	pipe := s.rdb.Pipeline()
	fields, whole := make([]*redis.SliceCmd, len(ids)), make([]*redis.StringCmd, len(ids))
	for i, p := range ids {
		if key := recordKey(s.prefixOf(p.id), p.id); p.folded {
			whole[i] = pipe.Get(ctx, key)
		} else {
			fields[i] = pipe.HMGet(ctx, key, listFields...)
		}
	}
	if err := exceptFolded(pipe.Exec(ctx)); err != nil {
		return nil, wrap("read records", err)
	}
	records := make([]*execution.Record, len(ids))
	for i, p := range ids {
		var err error
		switch {
		case p.folded:
			records[i], err = s.listed(p.id, whole[i])
		case isFolded(fields[i].Err()): // since the index was read
			records[i], err = s.listed(p.id, s.rdb.Get(ctx, recordKey(s.prefixOf(p.id), p.id)))
		default:
			records[i], err = parseListed(p.id, fields[i].Val())
		}
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

// listed is parseListed for a folded record.
func (s *Store) listed(id execution.ID, whole *redis.StringCmd) (*execution.Record, error) {
	if isNil(whole.Err()) {
		return nil, nil
	}
	if whole.Err() != nil {
		return nil, wrap("read records", whole.Err())
	}
	f, err := s.codec.unfold(whole.Val())
	if err != nil {
		return nil, fmt.Errorf("execution %s: %w", id, err)
	}
	maps.DeleteFunc(f.fields, func(name, _ string) bool { return !slices.Contains(listFields, name) })
	return parseRecord(id, fields(f.fields))
}

// parseListed reads the listFields; nil when there are none.
func parseListed(id execution.ID, values []any) (*execution.Record, error) {
	if !slices.ContainsFunc(values, func(v any) bool { return v != nil }) {
		return nil, nil
	}
	return parseRecord(id, someFields(values))
}

// someFields are the values of listFields: a list needs no map for each record.
type someFields []any

func (f someFields) get(name string) (text string) {
	if i := slices.Index(listFields, name); i >= 0 {
		text, _ = f[i].(string)
	}
	return text
}

func matches(r *execution.Record, q execution.ListQuery) bool {
	if len(q.Status) > 0 && !slices.Contains(q.Status, r.Status) {
		return false
	}
	if q.Engine != "" && r.Spec.Name() != q.Engine {
		return false
	}
	if q.Worker != "" && r.Worker != q.Worker {
		return false
	}
	for k, v := range q.Labels {
		if r.Spec.Labels[k] != v {
			return false
		}
	}
	return q.Text == "" || strings.Contains(searched(r), q.Text)
}

// searched is what a search looks at, in lower case.
func searched(r *execution.Record) string {
	lines := []string{string(r.ID), r.Spec.Name() + " " + strings.Join(r.Spec.Args, " ")}
	for k, v := range r.Spec.Labels {
		lines = append(lines, k+"="+v)
	}
	return strings.ToLower(strings.Join(lines, "\n"))
}
