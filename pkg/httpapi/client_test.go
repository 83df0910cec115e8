package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

func (w *world) client() *client.Client {
	w.t.Helper()
	c, err := client.New(w.url, token, client.Options{HTTP: w.http})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestTheGoClientSeesEveryByteOverRotations(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.ResponseLimit = 30 * time.Millisecond })
	c := w.client()
	started, err := c.Start(t.Context(), api.StartRequest{Command: "python", Args: []string{"main.py"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		w.store.start(started.ID)
		for i := range 100 {
			<-tick.C
			chunk := fmt.Sprintf("line %d\xff", i)
			want.WriteString(chunk)
			w.store.log(started.ID, execution.Stdout, chunk)
		}
		w.store.finish(started.ID)
	}()
	var got bytes.Buffer
	next := execution.Cursor(1)
	for e, err := range c.Stream(t.Context(), started.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != next {
			t.Fatalf("event %d came where %d should", e.Seq, next)
		}
		next++
		if e.Type != execution.EventLog {
			continue
		}
		var chunk api.LogData
		if err := json.Unmarshal(e.Data, &chunk); err != nil {
			t.Fatal(err)
		}
		got.Write(chunk.Bytes())
	}
	if next != 104 || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d events, %d bytes of %d", next-1, got.Len(), want.Len())
	}
	e, err := c.Wait(t.Context(), started.ID)
	if err != nil || e.Status != execution.Completed {
		t.Errorf("it ended %+v, %v", e, err)
	}
	var text bytes.Buffer
	if _, err := c.OutputText(t.Context(), started.ID, &text, client.TextQuery{}); err != nil || !bytes.Equal(text.Bytes(), want.Bytes()) {
		t.Errorf("the text has %d bytes, %v", text.Len(), err)
	}
}

func TestTheGoClientSpeaksOfProblemsInOurVocabulary(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	_, err := c.Start(t.Context(), api.StartRequest{Command: "nope"}, "")
	if execution.CodeOf(err) != execution.Invalid || !strings.Contains(err.Error(), "command is not a command") {
		t.Errorf("error is %v", err)
	}
	id := w.run("x")
	_, err = c.Cancel(t.Context(), id, time.Second)
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.ExecutionStatus != execution.Completed {
		t.Errorf("error is %#v", err)
	}
	list, err := c.List(t.Context(), client.ListQuery{Status: []execution.Status{execution.Completed}, Limit: 5})
	if err != nil || len(list.Executions) != 1 {
		t.Errorf("list is %+v, %v", list, err)
	}
	page, err := c.Output(t.Context(), id, client.OutputQuery{Stream: "stdout"})
	if err != nil || page.Output != "x" {
		t.Errorf("page is %+v, %v", page, err)
	}
	engines, err := c.Engines(t.Context())
	if err != nil || len(engines.Engines) != 1 {
		t.Errorf("engines are %+v, %v", engines, err)
	}
}
