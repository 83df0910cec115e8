package main

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// browser opens a Chromium, or skips loudly, or fails in CI. What the page may
// not load or run is an error of the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := rig.Chromium()
	if err != nil {
		rig.Missing(t, "CI", err.Error())
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1400, 900))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 2*patience)
	t.Cleanup(stop)
	err = chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "http://127.0.0.1:") && !strings.HasPrefix(u, "data:") {
				t.Errorf("the page asks for %s", u)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("a script fails: %+v", e.ExceptionDetails)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

type step = chromedp.Action[chromedp.Void]

func do(t *testing.T, ctx context.Context, what string, steps ...step) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func look[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

// shows waits until the page, whichever it is by then, has a text.
func shows(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	await(t, "the page to show "+text, func() bool {
		body, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
		return err == nil && strings.Contains(body, text) // an error is a page that has just gone
	})
}

// logIn goes through the page, as an operator does.
func logIn(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	do(t, ctx, "a wrong token", chromedp.Navigate(url+"/"), chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", "not-a-token-of-anyone\r"))
	shows(t, ctx, "This is none of OPERATOR_TOKENS")
	do(t, ctx, "log in", chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", operator+"\r"))
	shows(t, ctx, "Queue Size")
}

// ask has the page send a request, as a script on it could, and gives the status.
func ask(t *testing.T, ctx context.Context, method, path string) int {
	t.Helper()
	return look[int](t, ctx, `fetch("`+path+`", {method: "`+method+`"}).then(r => r.status)`)
}

// activeTask opens the page of what runs, and waits for an execution's line in it.
func activeTask(t *testing.T, ctx context.Context, url string, id execution.ID) {
	t.Helper()
	do(t, ctx, "the active tasks", chromedp.Navigate(url+"/monitoring/queues/default?status=active"))
	shows(t, ctx, string(id))
}

func TestAnOperatorSeesARunningExecutionAndCanOnlyLook(t *testing.T) {
	ctx, s := browser(t), newSystem(t)
	id, url := s.run(), s.dashboard(false)
	logIn(t, ctx, url)
	activeTask(t, ctx, url, id)
	if cookies := look[string](t, ctx, "document.cookie"); cookies != "" {
		t.Errorf("a script sees the session: %q", cookies)
	}
	for _, write := range []string{"POST /active_tasks/" + string(id) + ".1:cancel", "POST :pause", "DELETE ", "POST /active_tasks:cancel_all"} {
		method, path, _ := strings.Cut(write, " ")
		if status := ask(t, ctx, method, "/monitoring/api/queues/default"+path); status != 403 {
			t.Errorf("%s: %d", write, status)
		}
	}
	if status := ask(t, ctx, "GET", "/monitoring/api/queues/default/active_tasks?size=100000000"); status != 200 {
		t.Errorf("reading: %d", status)
	}
	s.becomes(id, execution.Running) // still
	do(t, ctx, "log out", chromedp.Click(`//button[text()="Log out"]`))
	shows(t, ctx, "An operator's token")
	if status := ask(t, ctx, "GET", "/monitoring/api/queues"); status != 401 {
		t.Errorf("after the log-out: %d", status)
	}
}

func TestACancelOnTheDashboardEndsTheExecutionAsCancelled(t *testing.T) {
	ctx, s := browser(t), newSystem(t)
	one, two, url := s.run(), s.run(), s.dashboard(true)
	logIn(t, ctx, url)
	activeTask(t, ctx, url, one)
	if status := ask(t, ctx, "POST", "/monitoring/api/queues/default/active_tasks/"+string(one)+".1:cancel"); status != 204 {
		t.Errorf("cancel: %d", status)
	}
	s.becomes(one, execution.Cancelled)
	activeTask(t, ctx, url, two)
	do(t, ctx, "choose and cancel", chromedp.Click("tbody input[type=checkbox]"), chromedp.Click(`button[aria-label="Cancel"], button[title="Cancel"], [title="Cancel"] button`))
	s.becomes(two, execution.Cancelled)
	if status := ask(t, ctx, "POST", "/monitoring/api/queues/default/active_tasks/"+string(one)+".1:cancel"); status != 409 && status != 204 {
		t.Errorf("a second cancel: %d", status)
	}

	// A queue that is paused hands nothing out, and loses nothing.
	if status := ask(t, ctx, "POST", "/monitoring/api/queues/default:pause"); status != 204 {
		t.Fatalf("pause: %d", status)
	}
	waiting, err := s.client.Start(t.Context(), api.StartRequest{Command: "sleep", Args: []string{"0"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	s.becomes(waiting.ID, execution.Queued)
	if status := ask(t, ctx, "POST", "/monitoring/api/queues/default:resume"); status != 204 {
		t.Fatalf("resume: %d", status)
	}
	s.becomes(waiting.ID, execution.Completed)
}
