package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

// uploads is a world with a store for files, and the store's folder.
func uploads(t *testing.T) (*world, artifact.Store, string) {
	t.Helper()
	dir := t.TempDir()
	store, err := artifact.Open("file://"+dir, artifact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *httpapi.Options) { o.Inputs, o.MaxUploadBytes = store, 1000 })
	return w, store, dir
}

// multi makes a form of a request and files, each a path and its content.
func multi(t *testing.T, request string, files ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("request", request)
	for i := 0; i < len(files); i += 2 {
		part, err := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {mime.FormatMediaType("form-data", map[string]string{"name": "files", "filename": files[i]})}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, files[i+1])
	}
	_ = m.Close()
	return b.String(), m.FormDataContentType()
}

// kept lists what is in the store.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFilesComeWithARequest(t *testing.T) {
	w, _, dir := uploads(t)
	body, kind := multi(t, `{"command":"python"}`, "a.txt", "one", "data/ü.csv", "", "b", "three")
	started, _ := call[api.Started](w, 202, "POST", "/execute/start", body, "Content-Type", kind, "Idempotency-Key", "k")
	rec, err := w.store.Get(t.Context(), started.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Spec.Files) != 3 || rec.Spec.Files[0] != (execution.File{Path: "a.txt", Size: 3, SHA256: "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"}) || rec.Spec.Files[1].Size != 0 {
		t.Errorf("files are %+v", rec.Spec.Files)
	}
	if n := kept(t, dir); len(n) != 3 || !strings.HasSuffix(n[0], string(started.ID)+"/inputs/a.txt") {
		t.Errorf("kept %v", n)
	}
	spec, _ := call[api.StartRequest](w, 200, "GET", "/execute/spec/"+string(started.ID), "")
	if !slices.Equal(spec.Files, rec.Spec.Files) {
		t.Errorf("the spec has %+v", spec.Files)
	}

	// The same again is the same execution, and nothing is stored twice.
	again, header := call[api.Started](w, 202, "POST", "/execute/start", body, "Content-Type", kind, "Idempotency-Key", "k")
	if again.ID != started.ID || header.Get("Idempotency-Replayed") != "true" || len(kept(t, dir)) != 3 {
		t.Errorf("the repeat is %s, kept %v", again.ID, kept(t, dir))
	}

	// A rerun has files of its own.
	rerun, _ := call[api.Started](w, 202, "POST", "/execute/rerun/"+string(started.ID), "")
	if n := kept(t, dir); rerun.ID == started.ID || len(n) != 6 {
		t.Errorf("kept for %s: %v", rerun.ID, n)
	}
	if rec, err := w.store.Get(t.Context(), rerun.ID); err != nil || len(rec.Spec.Files) != 3 {
		t.Errorf("the rerun is %+v, %v", rec, err)
	}

	// Without files a form is a request like another.
	body, kind = multi(t, `{"command":"python"}`)
	call[api.Started](w, 202, "POST", "/execute/start", body, "Content-Type", kind)
}

func TestNothingIsLeftOfARequestThatIsRefused(t *testing.T) {
	w, _, dir := uploads(t)
	python, many := `{"command":"python"}`, []string{}
	for i := range 257 {
		many = append(many, fmt.Sprint(i), "x")
	}
	for name, tt := range map[string]struct {
		status  int
		request string
		files   []string
		says    string
	}{
		"a path that leaves":   {422, python, []string{"ok", "1", "../x", "2"}, "files[1] has a filename that is not relative"},
		"an absolute path":     {422, python, []string{"/etc/passwd", "2"}, "files[0] has a filename that is not relative"},
		"no name":              {422, python, []string{"", "2"}, "files[0] has no filename"},
		"the same path twice":  {422, python, []string{"a", "1", "a", "2"}, "files[1] has the path of another file"},
		"a file as a folder":   {422, python, []string{"a", "1", "a/b", "2"}, "files[1] has the path of another file"},
		"too many bytes":       {413, python, []string{"a", strings.Repeat("x", 999), "b", "12"}, "1000 bytes together (the setting MAX_UPLOAD_BYTES)"},
		"too many files":       {422, python, many, "at most 256"},
		"a request that fails": {403, `{"command":"rm"}`, []string{"a", "1"}, "the catalog forbids"},
		"no JSON":              {400, `{`, []string{"a", "1"}, "not JSON"},
		"a field unknown":      {422, `{"command":"python","comand":1}`, []string{"a", "1"}, "comand"},
		"a request too large":  {413, `{"command":"` + strings.Repeat("x", 5000) + `"}`, []string{"a", "1"}, "MAX_REQUEST_BYTES"},
	} {
		t.Run(name, func(t *testing.T) {
			body, kind := multi(t, tt.request, tt.files...)
			p, _ := w.problem(tt.status, "POST", "/execute/start", body, "Content-Type", kind)
			if !strings.Contains(p.Error(), tt.says) {
				t.Errorf("says %q", p.Error())
			}
			if n := kept(t, dir); len(n) > 0 {
				t.Errorf("left %v", n)
			}
		})
	}
	t.Run("a full queue", func(t *testing.T) {
		w.store.full = execution.Errorf(execution.QueueFull, "full")
		defer func() { w.store.full = nil }()
		body, kind := multi(t, python, "a", "1")
		w.problem(429, "POST", "/execute/start", body, "Content-Type", kind)
		if n := kept(t, dir); len(n) > 0 {
			t.Errorf("left %v", n)
		}
	})
	t.Run("files first", func(t *testing.T) {
		p, _ := w.problem(422, "POST", "/execute/start", "--x\r\nContent-Disposition: form-data; name=files; filename=a\r\n\r\n1\r\n--x--\r\n", "Content-Type", "multipart/form-data; boundary=x")
		if !strings.Contains(p.Error(), "must be the first part") {
			t.Errorf("says %q", p.Error())
		}
	})
	t.Run("files told in JSON", func(t *testing.T) {
		p, _ := w.problem(422, "POST", "/execute/start", `{"command":"python","files":[{"path":"a","size":1,"sha256":"x"}]}`)
		if !strings.Contains(p.Error(), "multipart/form-data") {
			t.Errorf("says %q", p.Error())
		}
	})
}

func TestWithoutAStoreFilesAreRefusedByItsSetting(t *testing.T) {
	w := newWorld(t)
	body, kind := multi(t, `{"command":"python"}`, "a", "1")
	p, _ := w.problem(422, "POST", "/execute/start", body, "Content-Type", kind)
	if !strings.Contains(p.Error(), "ARTIFACTS_URL") {
		t.Errorf("says %q", p.Error())
	}
}

func TestAnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	w, _, dir := uploads(t)
	body, kind := multi(t, `{"command":"python"}`, "a", "whole", "b", strings.Repeat("x", 900))
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /execute/start HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", token, kind, len(body), body[:len(body)-400])
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	_ = conn.Close()
	for path := range w.served {
		if path == "/execute/start" {
			break
		}
	}
	if !bytes.Contains(answer, []byte(" 400 ")) || len(kept(t, dir)) > 0 {
		t.Errorf("answered %q, left %v", answer, kept(t, dir))
	}
	if list, _ := call[api.List](w, 200, "GET", "/execute/list", ""); len(list.Executions) != 0 {
		t.Errorf("started %v", list.Executions)
	}
}

// zeros is a file of so many of them, and notes the memory while it is read.
type zeros struct {
	left int64
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	z.left -= n
	clear(p[:n])
	return int(n), nil
}

func TestALargeUploadIsNeverHeldInMemory(t *testing.T) {
	const large = 100 << 20
	w, store, _ := uploads(t)
	w.srv.MaxUploadBytes = large
	c, err := client.New(w.url, token, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started, err := c.StartWith(t.Context(), api.StartRequest{Command: "python"}, []client.File{{
		Path: "large", Open: func() (io.ReadCloser, error) { return io.NopCloser(&zeros{large}), nil },
	}}, "")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := w.store.Get(t.Context(), started.ID)
	if err != nil || rec.Spec.Files[0].Size != large {
		t.Fatalf("%+v, %v", rec, err)
	}
	dir := t.TempDir()
	if err := artifact.FetchInputs(t.Context(), store, started.ID, rec.Spec.Files, dir); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 20 {
		t.Errorf("%d MiB were allocated on the way of 100 MiB", n)
	}
	if info, err := os.Stat(filepath.Join(dir, "large")); err != nil || info.Size() != large {
		t.Errorf("%v, %v", info, err)
	}
}
