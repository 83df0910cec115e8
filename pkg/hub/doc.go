// Package hub brings an execution's events to everyone who follows it on this
// replica: replay by cursor, then tail, and the same bytes for all.
//
//	Source.Read ─► topic.follow ─► encode once ─► ring (bounded in bytes) ─► Subscriber.Next ─► one write
//	     ▲                                                                        │
//	     └──────────────── a subscriber behind the ring reads for itself ─────────┘
//
// A topic exists for each execution that somebody follows. One goroutine per
// topic listens to its bell first and reads afterwards, so that nothing can
// fall between the two. A bell may bring the next events itself (Carrier), which
// saves the read. Subscribers hold a cursor and nothing else: no queue,
// no copy, so a slow one costs nobody anything.
//
// The hub owns topics, rings and cursors. It owns no connection to Redis
// (Source, Bells) and none to a client (the caller writes what Next gives).
package hub
