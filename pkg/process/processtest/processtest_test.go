package processtest_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestMain(m *testing.M) {
	processtest.Main()
	m.Run()
}

func TestTheProgramOfItsOwnBehavesTheSame(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "badchild")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/badchild").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, args := range map[string][]string{
		program:            {string(processtest.Binary)},
		processtest.Path(): processtest.Args(processtest.Binary),
	} {
		if out, err := exec.Command(name, args...).Output(); err != nil || string(out) != processtest.BinaryOutput {
			t.Errorf("got %q (%v)", out, err)
		}
	}
	out, err := exec.Command(program, "no-such-thing").CombinedOutput()
	if err == nil || !strings.Contains(string(out), string(processtest.ForkBomb)) {
		t.Errorf("a wrong name does not list the right ones: %s", out)
	}
}
