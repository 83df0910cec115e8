package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// listScan bounds the records that one page may look at, so that a filter that
// matches little cannot read all of Redis; the page then ends early, with a cursor.
const listScan = 2000

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
	var page execution.ListPage
	for seen := 0; ; {
		ids, err := s.walk(ctx, s.indexes(q), from, q)
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
				if i+1 < len(ids) || len(ids) > q.Limit {
					page.Next = from.String()
				}
				return page, nil
			}
		}
		if seen += len(ids); len(ids) <= q.Limit {
			return page, nil
		}
		if seen >= listScan {
			page.Next = from.String()
			return page, nil
		}
	}
}

// place is a member of an index: the order of a list is by creation, then id.
type place struct {
	created int64
	id      execution.ID
}

func (p place) String() string { return strconv.FormatInt(p.created, 10) + "." + string(p.id) }

func parseListCursor(s string) (place, error) {
	if s == "" {
		return place{created: 1<<53 - 1, id: "~"}, nil // above every id
	}
	ms, id, ok := strings.Cut(s, ".")
	created, err := strconv.ParseInt(ms, 10, 64)
	if !ok || err != nil || created < 0 {
		return place{}, execution.InvalidField("cursor", "must be the next_cursor of the page before")
	}
	return place{created, execution.ID(id)}, nil
}

// indexes names the sorted sets that together hold every candidate.
func (s *Store) indexes(q execution.ListQuery) []string {
	var keys []string
	for _, p := range s.prefixes() {
		switch {
		case len(q.Labels) > 0:
			k := slices.Sorted(func(yield func(string) bool) {
				for k := range q.Labels {
					if !yield(k) {
						return
					}
				}
			})[0]
			keys = append(keys, labelKey(p, k, q.Labels[k]))
		case q.Engine != "":
			keys = append(keys, nameKey(p, q.Engine))
		default:
			statuses := q.Status
			if len(statuses) == 0 {
				statuses = execution.Statuses
			}
			for _, st := range statuses {
				keys = append(keys, statusKey(p, st))
			}
		}
	}
	return keys
}

// walk merges the indexes and returns up to Limit+1 ids older than from.
func (s *Store) walk(ctx context.Context, keys []string, from place, q execution.ListQuery) ([]place, error) {
	low := "-inf"
	if !q.Since.IsZero() {
		low = strconv.FormatInt(millis(q.Since), 10)
	}
	pipe := s.rdb.Pipeline()
	found := make([]*redis.ZSliceCmd, len(keys))
	for i, key := range keys {
		// Members of from's own millisecond may be on either side of it, so
		// they are asked for and sorted out; a page is never all of one
		// millisecond in earnest, but if it is, Limit+64 still passes it.
		found[i] = pipe.ZRevRangeByScoreWithScores(ctx, key, &redis.ZRangeBy{
			Max: strconv.FormatInt(from.created, 10), Min: low, Count: int64(q.Limit + 64),
		})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, wrap("read list", err)
	}
	var all []place
	for _, f := range found {
		for _, z := range f.Val() {
			p := place{int64(z.Score), execution.ID(z.Member.(string))}
			if comparePlaces(p, from) > 0 {
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, comparePlaces)
	all = slices.CompactFunc(all, func(a, b place) bool { return a.id == b.id })
	return all[:min(len(all), q.Limit+1)], nil
}

// comparePlaces puts the newest first.
func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.id, a.id))
}

// listFields are all of a record but its result, which may be a mebibyte and
// which no list shows.
var listFields = []string{
	"spec", "status", "attempt", "worker", "created", "eligible", "started", "ended", "cancel",
	"last", "bytes", "progress", "outcome", "past",
}

// records reads many at once; nil where one has gone meanwhile.
func (s *Store) records(ctx context.Context, ids []place) ([]*execution.Record, error) {
	pipe := s.rdb.Pipeline()
	found := make([]*redis.SliceCmd, len(ids))
	for i, p := range ids {
		found[i] = pipe.HMGet(ctx, recordKey(s.prefixOf(p.id), p.id), listFields...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, wrap("read records", err)
	}
	records := make([]*execution.Record, len(ids))
	for i, p := range ids {
		f := make(map[string]string, len(listFields))
		for k, v := range found[i].Val() {
			if text, ok := v.(string); ok {
				f[listFields[k]] = text
			}
		}
		if len(f) == 0 {
			continue
		}
		r, err := parseRecord(p.id, f)
		if err != nil {
			return nil, err
		}
		records[i] = r
	}
	return records, nil
}

func matches(r *execution.Record, q execution.ListQuery) bool {
	if len(q.Status) > 0 && !slices.Contains(q.Status, r.Status) {
		return false
	}
	if q.Engine != "" && r.Spec.Name() != q.Engine {
		return false
	}
	for k, v := range q.Labels {
		if r.Spec.Labels[k] != v {
			return false
		}
	}
	return true
}
