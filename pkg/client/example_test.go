package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// server stands in for an API that has one execution.
func server() *httptest.Server {
	mux := http.NewServeMux()
	say := func(pattern, kind, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			if kind == "application/problem+json" {
				w.WriteHeader(http.StatusConflict)
			}
			_, _ = io.WriteString(w, body)
		})
	}
	say("POST /execute/start", "application/json", `{"execution_id":"exec_1762548673499_vqx7d3cpo","status":"queued"}`)
	say("GET /execute/stream/{id}", "text/event-stream",
		"id: 1\nevent: status\ndata: {\"status\":\"running\"}\n\nid: 2\nevent: log\ndata: {\"stream\":\"stdout\",\"text\":\"hello\\n\"}\n\n"+
			"id: 3\nevent: end\ndata: {\"status\":\"completed\"}\n\n")
	say("GET /execute/status/{id}", "application/json", `{"execution_id":"exec_1762548673499_vqx7d3cpo","status":"completed"}`)
	say("GET /execute/output/{id}", "application/json", `{"result":{"topics":12}}`)
	say("POST /execute/cancel/{id}", "application/problem+json", `{"code":"conflict","detail":"it has ended","execution_status":"completed"}`)
	return httptest.NewServer(mux)
}

func Example() {
	s := server() // such as http://localhost:8080
	defer s.Close()
	ctx := context.Background()
	c, err := client.New(s.URL, os.Getenv("LONGHAUL_TOKEN"), client.Options{HTTP: s.Client()})
	if err != nil {
		panic(err)
	}
	started, err := c.Start(ctx, api.StartRequest{Engine: "agent", Input: json.RawMessage(`{"input":"What do customers praise?"}`)}, "")
	if err != nil {
		panic(err)
	}
	// Each event once, over cut lines, deploys and rotation.
	for event, err := range c.Stream(ctx, started.ID, 0) {
		if err != nil {
			panic(err)
		}
		fmt.Println(event.Seq, event.Type)
	}
	ended, err := c.Wait(ctx, started.ID)
	if err != nil {
		panic(err)
	}
	out, err := c.Output(ctx, started.ID, client.OutputQuery{})
	if err != nil {
		panic(err)
	}
	fmt.Println(ended.Status, string(out.Result))
	// Output:
	// 1 status
	// 2 log
	// 3 end
	// completed {"topics":12}
}

func ExampleProblem() {
	s := server()
	defer s.Close()
	c, err := client.New(s.URL, "", client.Options{HTTP: s.Client()})
	if err != nil {
		panic(err)
	}
	_, err = c.Cancel(context.Background(), "exec_1762548673499_vqx7d3cpo", 0)
	if execution.CodeOf(err) == execution.Conflict {
		problem, _ := errors.AsType[*client.Problem](err)
		fmt.Println("too late:", problem.ExecutionStatus)
	}
	// Output: too late: completed
}
