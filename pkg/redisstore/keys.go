package redisstore

import (
	"hash/fnv"
	"strconv"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Every key of Longhaul, with {p<k>} for the partition's hash tag:
//
//	key                        type    TTL              holds
//	lh:meta                    hash    none: one key    schema version, number of partitions (fixed at first start), from when (ms) records are folded and first events implied
//	lh:probe                   -       never there      Ping writes nothing to it
//	lh:{p0}:x:<id>             hash    by retention     the record; fields in record.go
//	                           string  by retention     the same, folded some time after the end; see folded.go
//	lh:{p0}:ev:<id>            stream  by retention     events in batches: entry <last number>-0, fields n, enc, data
//	lh:{p0}:evp:<id>:<token>   stream  10 minutes       a packed copy of that, while it is made
//	lh:{p0}:seg:<id>           zset    by retention     "<first>-<last>" of each segment in the archive, by last
//	lh:{p0}:idem:<hash>        string  IDEMPOTENCY_TTL  "<id> <hash of spec>"
//	lh:{p0}:q:<queue>          zset    members leave    queued ids by the instant from which they may run (ms)
//	lh:{p0}:late               zset    members leave    queued ids by the instant at which they have waited too long (ms)
//	lh:{p0}:run                zset    members leave    running ids by the tick at which their lease ends
//	lh:{p0}:done               zset    members leave    ended ids, not folded yet, by the instant at which retention takes them (ms)
//	lh:{p0}:tidy               zset    members leave    ended ids whose log is to be packed or moved, by instant (ms)
//	lh:{p0}:status:<status>    zset    by retention     ids by creation (ms)
//	lh:{p0}:name:<name>        zset    by retention     ids of one engine or command by creation (ms)
//	lh:{p0}:label:<k>=<v>      zset    by retention     ids with a label by creation (ms)
//	lh:{p0}:pg:<index>         zset    by retention     folded ids of done, status:, name: and label: by the same, the newest
//	lh:{p0}:pg@<end>:<index>   zset    by retention     up to 120 older ones, up to that score
//	lh:{p0}:pgs:<index>        zset    by retention     the ends of these
//	lh:{p0}:hooks              zset    members leave    ids with a webhook due, by instant (ms)
//	lh:{p0}:hook:<id>          hash    with its record  attempts of that webhook
//	lh:{p0}:workers            set     members leave    names of workers, taken out at their end or by who finds them gone
//	lh:{p0}:worker:<name>      string  75 s, renewed    what a worker tells of itself, JSON; both are in partition 0 alone
//	lh:{p0}:tick               hash    none: one key    the logical clock of leases: n, and at (ms) of its last step
//
// "by retention" means that the reaper unlinks it, or takes the member out,
// when the execution's time is over. All keys of a partition share a hash tag,
// so they live in one slot of a Redis Cluster; that is what allows the scripts
// to compute key names from the prefix.
//
// Channels: lh:bell:<id> (there are new events, small ones come along: append.lua), lh:cancel (an id to be cancelled),
// lh:kill (one to be killed).
const (
	keyMeta       = "lh:meta"
	keyProbe      = "lh:probe"
	channelCancel = "lh:cancel"
	channelKill   = "lh:kill"
	bellPrefix    = "lh:bell:"
)

func bellChannel(id execution.ID) string { return bellPrefix + string(id) }

// prefix is the beginning of every key of partition k.
func prefix(k int) string { return "lh:{p" + strconv.Itoa(k) + "}:" }

// partitionOf places an id, or an idempotency key, among n partitions.
func partitionOf(s string, n int) int {
	if n <= 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // a hash never fails
	return int(h.Sum32() % uint32(n))
}

func (s *Store) prefixOf(id execution.ID) string {
	return prefix(partitionOf(string(id), s.partitions))
}

func recordKey(prefix string, id execution.ID) string   { return prefix + "x:" + string(id) }
func eventsKey(prefix string, id execution.ID) string   { return prefix + "ev:" + string(id) }
func packedKey(prefix string, id execution.ID) string   { return prefix + "evp:" + string(id) }
func segmentsKey(prefix string, id execution.ID) string { return prefix + "seg:" + string(id) }
func hookKey(prefix string, id execution.ID) string     { return prefix + "hook:" + string(id) }
func queueKey(prefix, queue string) string              { return prefix + "q:" + queue }
func lateKey(prefix string) string                      { return prefix + "late" }
func runKey(prefix string) string                       { return prefix + "run" }
func doneKey(prefix string) string                      { return prefix + "done" }
func hooksKey(prefix string) string                     { return prefix + "hooks" }
func tidyKey(prefix string) string                      { return prefix + "tidy" }
func workersKey(prefix string) string                   { return prefix + "workers" }
func workerKey(prefix, name string) string              { return prefix + "worker:" + name }
func tickKey(prefix string) string                      { return prefix + "tick" }
