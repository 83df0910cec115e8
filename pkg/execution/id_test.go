package execution

import (
	"testing"
	"time"
)

func TestAnIDIsReadBackAndSortsByTime(t *testing.T) {
	seen := map[ID]bool{}
	now := time.UnixMilli(1762548673499)
	for i := range 1000 {
		id := NewID(now.Add(time.Duration(i) * time.Millisecond))
		if got, err := ParseID(string(id)); got != id || err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if before := NewID(now.Add(time.Duration(i-1) * time.Millisecond)); seen[id] || before >= id {
			t.Fatalf("%s comes before %s, or twice", id, before)
		}
		seen[id] = true
	}
}

func TestWhatIsNoIDIsNotFound(t *testing.T) {
	for _, s := range []string{
		"", "exec_", "exec_1762548673499_vqx7d3cp", "exec_1762548673499_vqx7d3cpoo", "exec_1762548673499_VQX7D3CPO",
		"exec__vqx7d3cpo", "exec_123456789012345678_vqx7d3cpo", "EXEC_1762548673499_vqx7d3cpo", "exec_1762548673499_vqx7d3cpo\n",
		" exec_1762548673499_vqx7d3cpo", "exec_-762548673499_vqx7d3cpo", "exec_1762548673499_vqx7/3cpo", "exec_1762548673499_{x7d3cpo",
	} {
		if id, err := ParseID(s); id != "" || CodeOf(err) != NotFound {
			t.Errorf("%q: %q, %v", s, id, err)
		}
	}
	if id, err := ParseID("exec_1762548673499_vqx7d3cpo"); err != nil || id == "" {
		t.Errorf("%q, %v", id, err)
	}
}
