package sdk

import "testing"

func TestThePythonClientAgainstTheSystem(t *testing.T) {
	need(t, "LONGHAUL_REQUIRE_PYTHON", "python3")
	s := newStage(t)
	s.suite("sdk/python", "python3", "-W", "error", "-m", "unittest", "discover", "-v", "-s", ".", "-t", ".")
	s.mustHaveCut(20, 5)
}
