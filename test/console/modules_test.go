package console

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/longhaul/longhaul/test/rig"
)

// modules is a folder with the packages of types/package-lock.json, which stays in
// .cache between runs.
func modules(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		rig.Missing(t, "LONGHAUL_REQUIRE_CHROMIUM", "npm is missing (apt-get install npm): types and accessibility of the console are not checked")
	}
	dir, err := install()
	if err != nil {
		rig.Missing(t, "CI", err.Error())
	}
	return dir
}

var install = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(rig.Root(), ".cache", "console-types")
	lock, err := os.ReadFile("types/package-lock.json")
	if err != nil {
		return "", err
	}
	installed, _ := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil && bytes.Equal(lock, installed) {
		return filepath.Join(dir, "node_modules"), nil
	}
	_ = os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS("types")); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("npm gives no packages, so types and accessibility of the console are not checked: %s", out)
	}
	return filepath.Join(dir, "node_modules"), nil
})

// typeCheck compiles a copy of the console's scripts against types made from the
// OpenAPI document, and gives what the compiler says.
func typeCheck(t *testing.T, change func(web string)) string {
	t.Helper()
	dir := t.TempDir()
	web := filepath.Join(dir, "pkg", "console", "web")
	types := filepath.Join(dir, "test", "console", "types")
	for to, from := range map[string]string{web: "pkg/console/web", types: "test/console/types"} {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(to, os.DirFS(filepath.Join(rig.Root(), from))); err != nil {
			t.Fatal(err)
		}
	}
	packages := modules(t)
	if err := os.Symlink(packages, filepath.Join(types, "node_modules")); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(packages, ".bin", name), args...)
		cmd.Dir = types
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("openapi-typescript", filepath.Join(rig.Root(), "api", "openapi.yaml"), "-o", "openapi.d.ts"); err != nil {
		t.Fatalf("types from the OpenAPI document: %s", out)
	}
	if change != nil {
		change(web)
	}
	out, err := run("tsc", "-p", ".")
	if err != nil && out == "" {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestTheScriptsAgreeWithTheDocumentOfTheAPI(t *testing.T) {
	t.Parallel()
	if out := typeCheck(t, nil); out != "" {
		t.Errorf("the console's scripts do not type-check:\n%s", out)
	}
}

func TestTheTypeCheckSaysNo(t *testing.T) {
	t.Parallel()
	out := typeCheck(t, func(web string) {
		wrong := "/** @param {import('./types').Execution} e */\nexport const wrong = e => e.execution_idd\n"
		if err := os.WriteFile(filepath.Join(web, "wrong.js"), []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if !strings.Contains(out, "execution_idd") {
		t.Errorf("a field that the API does not have type-checks: %q", out)
	}
}
