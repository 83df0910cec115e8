package faults

import (
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func TestAnAPIThatEndsLosesNoStream(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "250", "-pause", "25ms", "-both"))
	for _, id := range ids {
		for range 8 {
			s.follow(id, "another", 0, s.client)
		}
	}
	s.prints(ids[0], 20)
	s.apis[0].term(8 * time.Second)
	s.apis[0].restart()
	s.apis[1].kill()
	s.apis[1].restart()
	for _, a := range s.apis { // all at once
		a.signal(syscall.SIGKILL)
	}
	for _, a := range s.apis {
		a.kill()
		a.restart()
	}
	s.complete(ids, 30*time.Second)
	s.check(20 * time.Second)
}

func TestADeployUnderLoadIsNotNoticed(t *testing.T) {
	single(t)
	s := newSystem(t, "DRAIN_TIMEOUT=8s")
	stop := s.steadily(100*time.Millisecond, engine("-lines", "30", "-pause", "25ms", "-both"))
	for _, p := range s.procs() { // as platforms do, one by one
		outage(time.Second)
		p.term(12 * time.Second)
		p.restart()
	}
	stop()
	var ids []execution.ID
	for _, st := range s.all() {
		ids = append(ids, st.id)
	}
	s.complete(ids, 30*time.Second)
	s.check(10 * time.Second)
}

func TestManySubscribersComeBackAtOnce(t *testing.T) {
	single(t)
	many := 300
	if long() {
		many = 2000
	}
	s := newSystem(t)
	s.noFollower = true
	id := s.start(engine("-lines", "400", "-pause", "25ms", "-size", "200"))
	var all []*recording
	for range many {
		all = append(all, s.follow(id, "one of many", 0, s.client))
	}
	for _, r := range all {
		s.eventually("all are there", 20*time.Second, func() bool { return r.lines() > 0 })
	}
	for _, a := range s.apis {
		a.signal(syscall.SIGKILL)
	}
	for _, a := range s.apis {
		a.kill()
		a.restart()
	}
	s.complete([]execution.ID{id}, 60*time.Second)
	s.check(30 * time.Second)
}

func TestAReaderThatStopsReadingHoldsNobodyUp(t *testing.T) {
	single(t)
	s := newSystem(t)
	id := s.start(engine("-lines", "20000", "-size", "2000", "-pause", "100us")) // 40 MB
	slow := newRecording("slow reader", 0)
	s.mu.Lock()
	s.stories[id].records = append(s.stories[id].records, slow)
	s.mu.Unlock()
	resume := make(chan struct{})
	go func() {
		defer close(slow.done)
		n := 0
		for e, err := range s.client.Stream(s.ctx, id, 0) {
			if err != nil {
				slow.err = err
				return
			}
			slow.take(e)
			if n++; n == 20 {
				<-resume
			}
		}
	}()
	s.wants(id, 60*time.Second, execution.Completed, "")
	if n := s.seenLines(id); n != 20000 {
		s.prints(id, 20000)
	}
	close(resume)
	s.check(60 * time.Second)
}

func TestEveryKindOfCursorGoesOnWhereItStopped(t *testing.T) {
	single(t)
	s := newSystem(t)
	id := s.start(engine("-lines", "200", "-pause", "10ms", "-both"))
	for _, n := range []int{20, 60, 100, 150} {
		s.prints(id, n)
		s.follow(id, "from the newest", s.seenCursor(id), s.client)
		s.follow(id, "from 1", 1, s.client)
	}
	e := s.wants(id, 20*time.Second, execution.Completed, "")
	for after := range e.LastEvent + 1 {
		s.follow(id, "afterwards, from "+after.String(), after, s.client)
	}
	// A cursor from the future is a mistake, and told as one.
	c, err := client.New(s.apis[0].url, token, client.Options{GiveUpAfter: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for ev, err := range c.Stream(s.ctx, id, e.LastEvent+1000) {
		if execution.CodeOf(err) != execution.Invalid {
			t.Errorf("a cursor beyond the end gives %+v, %v", ev, err)
		}
	}
	s.check(30 * time.Second)
}
