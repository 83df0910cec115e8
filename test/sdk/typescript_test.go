package sdk

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/test/rig"
)

// typescript is the folder of the TypeScript client.
var typescript = filepath.Join(rig.Root(), "sdk", "typescript")

// built compiles the TypeScript client, once for all tests.
func built(t *testing.T) {
	t.Helper()
	rig.Need(t, "LONGHAUL_REQUIRE_NODE", "node", "npm")
	if err := compiled(); err != nil {
		t.Fatal(err)
	}
}

// compiled also installs what the client is made with, from its lock file.
var compiled = sync.OnceValue(func() error {
	if _, err := os.Stat(filepath.Join(typescript, "node_modules", ".bin", "openapi-typescript")); err != nil {
		if err := npm("ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
			return err
		}
	}
	return npm("run", "build")
})

func npm(args ...string) error {
	cmd := exec.Command("npm", args...)
	cmd.Dir = typescript
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm %v: %w\n%s", args, err, out)
	}
	return nil
}

func TestTheTypesOfTheTypeScriptClientAreThoseOfTheDocument(t *testing.T) {
	built(t)
	fresh := filepath.Join(t.TempDir(), "openapi.ts")
	if err := npm("exec", "--", "openapi-typescript", "../../api/openapi.yaml", "-o", fresh); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(typescript, "src", "openapi.ts"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("sdk/typescript/src/openapi.ts is not what api/openapi.yaml says: make sdk-types")
	}
}

func TestTheTypeScriptClientInNode(t *testing.T) {
	t.Parallel()
	built(t)
	s := newStage(t)
	s.suite("sdk/typescript", "node", "--test", "--test-timeout=120000", "--test-reporter=spec", "tests/parts.test.mjs", "tests/live.test.mjs")
	s.mustHaveCut(20, 5)
}

func TestTheTypeScriptClientInAPageOfChromium(t *testing.T) {
	t.Parallel()
	built(t)
	chromium, err := rig.Chromium()
	if err != nil {
		rig.Missing(t, "LONGHAUL_REQUIRE_CHROMIUM", err.Error())
	}
	s := newStage(t)
	pages := httptest.NewServer(http.FileServer(http.Dir(typescript))) // another origin than the API's
	defer pages.Close()

	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox) // tests may run as root
	ctx, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	defer stop()
	ctx, cancel := chromedp.NewContext(ctx)
	defer cancel()
	page := pages.URL + "/tests/page.html?" + url.Values{"url": {s.url}, "cutUrl": {s.cutURL}, "token": {rig.Token}}.Encode()
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatal(err)
	}
	text := func(expression string) string {
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(4 * time.Minute)
	for text("document.title") != "over" {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the page does not come to its end:\n%s", text("document.body.textContent"))
		}
	}
	said := text("document.body.textContent")
	if n := strings.Count(said, ": ok"); n < 9 || strings.Contains(said, "FAILED") {
		t.Errorf("%d went well:\n%s", n, said)
	}
	t.Log(said)
	s.mustHaveCut(20, 5)
}
