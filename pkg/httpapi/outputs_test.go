package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
)

// withFiles is a world with an ended execution that left files.
func withFiles(t *testing.T, files map[string]string) (*world, string) {
	t.Helper()
	kept, err := artifact.Open("file://"+t.TempDir(), artifact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *httpapi.Options) { o.Artifacts = kept })
	id := w.begin()
	w.store.start(id)
	for path, content := range files {
		if err := kept.Put(t.Context(), id, path, strings.NewReader(content), int64(len(content)), ""); err != nil {
			t.Fatal(err)
		}
	}
	w.store.end(id, execution.Outcome{Status: execution.Completed, Reason: execution.ReasonExited, Artifacts: len(files)})
	return w, string(id)
}

func TestArtifactsAreListedWithWhereToGetThem(t *testing.T) {
	w, id := withFiles(t, map[string]string{"report/über uns.txt": "hello", "data.csv": "a,b\n"})
	list, _ := call[api.Artifacts](w, 200, "GET", "/outputs/"+id, "")
	if len(list.Artifacts) != 2 || list.Artifacts[1].Path != "report/über uns.txt" || list.Artifacts[1].Size != 5 {
		t.Fatalf("list is %+v", list)
	}
	out, _ := call[api.Output](w, 200, "GET", "/execute/output/"+id, "")
	if len(out.Artifacts) != 2 {
		t.Errorf("output lists %+v", out.Artifacts)
	}
	for _, a := range list.Artifacts {
		res := w.do("GET", a.URL, "")
		if got := string(readAll(t, res)); int64(len(got)+strings.Count(got, "a,b")) < a.Size || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %q", a.URL, res.StatusCode, got)
		}
		if got := res.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
			t.Errorf("%s: Content-Disposition is %q", a.URL, got)
		}
	}
}

func TestADownloadTakesRangesAndConditions(t *testing.T) {
	w, id := withFiles(t, map[string]string{"a.txt": "0123456789"})
	path := "/outputs/" + id + "/a.txt"
	part := w.do("GET", path, "", "Range", "bytes=2-4")
	if got := string(readAll(t, part)); part.StatusCode != http.StatusPartialContent || got != "234" || part.Header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("range: %d %q", part.StatusCode, got)
	}
	if res := w.do("GET", path, "", "If-None-Match", part.Header.Get("ETag")); res.StatusCode != http.StatusNotModified {
		t.Errorf("unchanged: %d", res.StatusCode)
	}
	head := w.do("HEAD", path, "")
	if head.StatusCode != http.StatusOK || head.ContentLength != 10 {
		t.Errorf("HEAD: %d, %d bytes", head.StatusCode, head.ContentLength)
	}
	p, header := w.problem(416, "GET", path, "", "Range", "bytes=50-")
	if p.Code != api.CodeRangeFailed || header.Get("Content-Range") != "bytes */10" {
		t.Errorf("bad range: %+v %v", p, header)
	}
}

func TestFilesThatCouldActAreHeldInASandbox(t *testing.T) {
	w, id := withFiles(t, map[string]string{"slides.html": "<script>1</script>", "a.svg": "<svg/>", "a.png": "x", "a.bin": "x", "notes.txt": "x"})
	for name, want := range map[string]struct{ disposition, policy string }{
		"slides.html": {"inline", "sandbox allow-scripts; default-src 'none'"},
		"a.svg":       {"inline", "sandbox; default-src 'none'"},
		"a.png":       {"inline", ""},
		"notes.txt":   {"inline", ""},
		"a.bin":       {"attachment", ""},
	} {
		for _, query := range []string{"", "?inline=1"} {
			h := w.do("GET", "/outputs/"+id+"/"+name+query, "").Header
			disposition := want.disposition
			if query == "" {
				disposition = "attachment"
			}
			if got := h.Get("Content-Disposition"); !strings.HasPrefix(got, disposition+"; filename=") {
				t.Errorf("%s%s: Content-Disposition is %q", name, query, got)
			}
			policy := h.Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, want.policy) || (want.policy == "") != (policy == "") || strings.Contains(policy, "allow-same-origin") {
				t.Errorf("%s: policy is %q", name, policy)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s may be sniffed", name)
			}
		}
	}
}

func TestNoPathLeadsOutOfAnExecutionsFiles(t *testing.T) {
	w, id := withFiles(t, map[string]string{"a.txt": "x"})
	for _, path := range []string{"b.txt", "..%2f..%2fetc%2fpasswd", "%2e%2e/a.txt", "a.txt/", "", "x%00y"} {
		if p, _ := w.problem(404, "GET", "/outputs/"+id+"/"+path, ""); p.Code != execution.NotFound {
			t.Errorf("%s: %+v", path, p)
		}
	}
	bare := newWorld(t)
	bare.problem(404, "GET", "/outputs/"+string(bare.begin())+"/a.txt", "")
	if list, _ := call[api.Artifacts](bare, http.StatusOK, "GET", "/outputs/"+string(bare.begin()), ""); len(list.Artifacts) != 0 {
		t.Errorf("list is %+v", list)
	}
}
