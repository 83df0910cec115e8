// Package console drives the console in a real Chromium, against the built
// binaries and a real Redis, as its visitors do.
//
// Each page that a test opens is watched: an exception that nobody caught, an error
// on the browser's console or a breach of the content security policy fails the
// test. LONGHAUL_SCREENSHOTS names a folder for what the pages look like.
package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/test/rig"
)

const token = rig.Token

// bin holds the built binaries: api and worker.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "longhaul-console-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		defer func() { closeChromium() }()
		return m.Run()
	}())
}

// build makes the binaries once, when the first test needs them.
var build = sync.OnceValue(func() error { return rig.Build(bin, "./cmd/api", "./cmd/worker") })

// missing skips a test loudly where something that it needs is not there, or fails
// it where required, a variable that CI sets, says that it must be.
func missing(t testing.TB, required, what string) {
	t.Helper()
	if os.Getenv(required) != "" {
		t.Fatal(what)
	}
	t.Skip("SKIPPED, NOT PASSED: " + what)
}

var closeChromium = func() {}

// chromium is one browser for all tests; each page gets cookies of its own.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		return nil, fmt.Errorf("there is no Chromium: install it (apt-get install chromium) or name it in CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Flag("lang", "en-GB"), chromedp.WSURLReadTimeout(time.Minute))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to start as root with one
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(ctx)
	closeChromium = stop
	return ctx, chromedp.Do(ctx) // which starts it
})
