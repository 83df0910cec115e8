package sdk

import "testing"

func TestThePythonClientAgainstTheSystem(t *testing.T) {
	need(t, "LONGHAUL_REQUIRE_PYTHON", "python3")
	s := newSystem(t)
	s.suite("sdk/python", "python3", "-W", "error", "-m", "unittest", "discover", "-v", "-s", ".", "-t", ".")
	if n := s.cutter.streams.Load(); n < 20 {
		t.Errorf("only %d streams were cut", n)
	}
	if n := s.cutter.rest.Load(); n < 5 {
		t.Errorf("only %d other answers were cut", n)
	}
}
