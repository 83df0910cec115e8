package hub

import (
	"sort"

	"github.com/longhaul/longhaul/pkg/execution"
)

// frame is an event as subscribers get it.
type frame struct {
	seq  execution.Cursor
	data []byte
	end  bool
	gap  *execution.Event // where it is one: see narrow
}

// frameCost is what a frame takes besides its bytes, so that a ring of empty
// ones is bounded too.
const frameCost = 48

func (f *frame) cost() int { return len(f.data) + frameCost }

// ring holds the newest frames without a hole: everything after floor, up to
// head. The topic's mutex guards it.
type ring struct {
	floor  execution.Cursor // what comes up to here is not in the ring
	head   execution.Cursor // the newest frame's, or floor
	frames []frame
	bytes  int
}

// push adds the newest frame.
func (r *ring) push(f frame) {
	r.frames = append(r.frames, f)
	r.bytes += f.cost()
	r.head = f.seq
}

// shift drops the oldest frame.
func (r *ring) shift() {
	r.floor = r.frames[0].seq
	r.bytes -= r.frames[0].cost()
	r.frames[0] = frame{}
	r.frames = r.frames[1:]
}

// oldest is the cursor of the oldest frame; the ring must not be empty.
func (r *ring) oldest() execution.Cursor { return r.frames[0].seq }

// reset empties the ring and puts it to a new place.
func (r *ring) reset(at execution.Cursor) {
	*r = ring{floor: at, head: at}
}

// after gives the frames with a cursor above c. c must not be below floor.
func (r *ring) after(c execution.Cursor) []frame {
	i := sort.Search(len(r.frames), func(i int) bool { return r.frames[i].seq > c })
	return r.frames[i:]
}
