package client_test

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
)

// text is a file of so much of a text.
func text(path, content string) client.File {
	return client.File{Path: path, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

func TestFilesAreSentAgainWithTheRequestUnderOneKey(t *testing.T) {
	var got, keys []string
	read := func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		parts, err := r.MultipartReader()
		for err == nil {
			part, perr := parts.NextPart()
			if perr != nil {
				break
			}
			_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
			content, _ := io.ReadAll(part)
			got = append(got, part.FormName()+" "+params["filename"]+" "+strings.TrimSpace(string(content)))
		}
		answer(202, api.Started{ID: id})(w, r)
	}
	c, n := serve(t, client.Options{}, cut, read)
	started, err := c.StartWith(t.Context(), api.StartRequest{Command: "python"}, []client.File{text("a/b.csv", "1,2"), text("ü \"x\".txt", "text")}, "")
	if err != nil || started.ID != id || n.Load() != 2 || keys[0] == "" {
		t.Fatalf("got %+v, %v after %d tries", started, err, n.Load())
	}
	if want := []string{`request  {"command":"python"}`, "files a/b.csv 1,2", `files ü "x".txt text`}; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent %q", got)
	}
}

func TestAFileThatCannotBeReadEndsTheStart(t *testing.T) {
	c, _ := serve(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(400, api.Problem{Code: api.CodeMalformed})(w, r)
	})
	gone := filepath.Join(t.TempDir(), "gone")
	_, err := c.StartWith(t.Context(), api.StartRequest{Command: "x"}, []client.File{{Path: "gone", Open: func() (io.ReadCloser, error) { return os.Open(gone) }}}, "")
	if e, ok := errors.AsType[*client.FileError](err); !ok || e.Path != "gone" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}
