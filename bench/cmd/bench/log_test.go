package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/bench/lines"
)

func TestALogIsTheSameOnlyToTheByte(t *testing.T) {
	want := lines.All(3)
	frame := func(id int, text string) string {
		data, err := json.Marshal(map[string]string{"stream": "stdout", "text": text})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("id: %d\nevent: log\ndata: %s\n\n", id, data)
	}
	const end = "id: 9\nevent: end\ndata: {}\n\n"
	whole := "retry: 1\n\n" + frame(1, string(want[:150])) + frame(2, string(want[150:]))
	for name, c := range map[string]struct {
		stream string
		same   bool
	}{
		"whole":           {whole + end, true},
		"a frame missing": {frame(1, string(want[:150])) + end, false},
		"one byte":        {strings.Replace(whole, "line 1", "line 7", 1) + end, false},
		"a gap":           {whole + "event: gap\ndata: {\"from\":1}\n\n" + end, false},
		"no end":          {whole, false},
		"cut off":         {whole + end[:len(end)-1], false},
		"doubled":         {whole + frame(2, string(want[150:])) + end, false},
	} {
		if err := sameLog([]byte(c.stream), want, true); (err == nil) != c.same {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := "data: " + strings.Join(strings.Split(strings.TrimSpace(string(want)), "\n"), "\n\ndata: ") + "\n\nevent: end\ndata:\n\n"
	if err := sameLog([]byte(plain), want, false); err != nil {
		t.Errorf("a frame for each line: %v", err)
	}
}
