package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// counts is the answer of GET /done.
type counts struct {
	Done   int `json:"done"`
	Failed int `json:"failed"`
}

// job is the body of POST /jobs.
type job struct {
	Cmd  string   `json:"cmd"`
	Args []string `json:"args"`
}

// prove runs a handful of jobs that show that the peer does the work it is measured
// for. Two peers once failed every job over `"args": null` and looked merely slow.
func (s *Stack) prove(ctx context.Context, dir string, streams bool) error {
	before, err := s.counts(ctx)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "proof-of-arguments")
	args := []string{"", "two words", `a "quote", a 'quote', $HOME and *`, "ünïcödé", "two\nlines", "--flag"}
	jobs := []job{
		{"/bin/sh", append([]string{"-c", `printf '%s\0' "$@" >"$0.part" && mv "$0.part" "$0"`, file}, args...)},
		{"/bin/true", nil},
		{"/bin/true", []string{}},
		{"/bin/sh", []string{"-c", "exit 3"}},
		{filepath.Join(dir, "no-such-program"), []string{"x"}},
	}
	for _, j := range jobs {
		if _, err := s.submit(ctx, j); err != nil {
			return err
		}
	}
	var now counts
	err = s.await(ctx, "its jobs", func(ctx context.Context) (bool, error) {
		now, err = s.counts(ctx)
		return now.Done-before.Done >= len(jobs), err
	})
	if err != nil {
		return fmt.Errorf("%w (%d of %d done)", err, now.Done-before.Done, len(jobs))
	}
	if done, failed := now.Done-before.Done, now.Failed-before.Failed; done != len(jobs) || failed != 2 {
		return fmt.Errorf("of %d jobs, two of them wrong, it counts %d done and %d failed", len(jobs), done, failed)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if want := strings.Join(args, "\x00") + "\x00"; string(got) != want {
		return fmt.Errorf("the child got the arguments %q, not %q", got, want)
	}
	if streams {
		return s.proveStream(ctx, dir)
	}
	return nil
}

// proveStream reads a job's lines while it runs: it waits for a file that is made when the stream is open.
func (s *Stack) proveStream(ctx context.Context, dir string) error {
	want := []string{"first", "  two  blanks ", "", "ünïcödé", "data: not a field", "last"}
	file := filepath.Join(dir, "proof-of-stream")
	id, err := s.submit(ctx, job{"/bin/sh", append([]string{"-c", `while ! [ -e "$0" ]; do sleep 0.01; done; printf '%s\n' "$@"`, file}, want...)})
	if err != nil {
		return err
	}
	var got []string
	err = s.stream(ctx, id, func() error { return os.WriteFile(file, nil, 0o600) }, func(line []byte) { got = append(got, string(line)) })
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("the stream was %q, not %q", got, want)
	}
	return err
}

func (s *Stack) submit(ctx context.Context, j job) (string, error) {
	body, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	var answer struct {
		ID string `json:"id"`
	}
	err = s.ask(ctx, http.MethodPost, "/jobs", body, &answer)
	if err == nil && answer.ID == "" {
		err = errors.New("POST /jobs gave no id")
	}
	return answer.ID, err
}

func (s *Stack) counts(ctx context.Context) (c counts, err error) {
	err = s.ask(ctx, http.MethodGet, "/done", nil, &c)
	return c, err
}

func (s *Stack) ask(ctx context.Context, method, path string, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// stream reads a job's lines until its end; opened is called when the headers have come.
func (s *Stack) stream(ctx context.Context, id string, opened func() error, line func([]byte)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/jobs/"+id+"/stream", nil)
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New("stream: " + res.Status)
	}
	if err := opened(); err != nil {
		return err
	}
	// Per event: its type, and its data as the WHATWG says, with one blank off the front.
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	var data []byte
	var end, has bool
	for lines.Scan() {
		field, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(lines.Bytes()) == 0:
			if end {
				return nil
			}
			if has {
				line(data)
			}
			has = false
		case string(field) == "event":
			end = string(value) == "end"
		case string(field) == "data":
			data, has = append(data[:0], value...), true
		}
	}
	return errors.Join(errors.New("the stream ended without its end event"), lines.Err())
}
