package lines

import (
	"strings"
	"testing"
)

func text(from, to int) string {
	var b []byte
	for n := from; n <= to; n++ {
		b = Append(b, 'o', 1, n, 50)
	}
	return string(b)
}

func TestTheCheckerFindsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		text, problem string
	}{
		"whole":     {text(1, 5), ""},
		"lost":      {text(1, 2) + text(4, 5), "line 4 follows line 2"},
		"doubled":   {text(1, 2) + text(2, 3), "line 2 follows line 2"},
		"reordered": {text(2, 2) + text(1, 1), "line 2 follows line 0"},
		"changed":   {strings.Replace(text(1, 2), "x", "y", 1), "wrong checksum"},
		"foreign":   {string(Append(nil, 'e', 1, 1, 50)), "among those of o"},
	} {
		k := Checker{Stream: 'o', Attempt: 1}
		for i := range len(c.text) { // in the smallest pieces
			_, _ = k.Write([]byte{c.text[i]})
		}
		if !strings.Contains(k.Problem(), c.problem) || (c.problem == "") != (k.Problem() == "") {
			t.Errorf("%s: %q", name, k.Problem())
		}
	}
}

func TestAGapIsCounted(t *testing.T) {
	k := Checker{Stream: 'o', Attempt: 1}
	_, _ = k.Write([]byte(text(1, 3)))
	k.Gap()
	_, _ = k.Write([]byte(text(6, 6)[10:] + text(7, 9)))
	if k.Problem() != "" || k.Last != 9 || k.Skipped != 3 {
		t.Errorf("%q, last %d, skipped %d", k.Problem(), k.Last, k.Skipped)
	}
}
