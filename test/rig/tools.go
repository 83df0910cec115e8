package rig

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// Missing skips a test loudly where something that it needs is not there, or fails
// it where require, a variable that CI sets, says that it must be.
func Missing(t testing.TB, require, what string) {
	t.Helper()
	if os.Getenv(require) != "" {
		t.Fatalf("%s, and %s is set", what, require)
	}
	t.Skip("SKIPPED, NOT PASSED: " + what)
}

// Need is Missing for programs.
func Need(t testing.TB, require string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			Missing(t, require, program+" is missing")
		}
	}
}

// Chromium finds the browser, which CHROMIUM may name.
func Chromium() (path string, err error) {
	if path = os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium: install it (apt-get install chromium) or name it in CHROMIUM")
}
