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

var closeChromium = func() {}

// chromium is one browser for all tests; each page gets cookies of its own.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path, err := rig.Chromium()
	if err != nil {
		return nil, err
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
