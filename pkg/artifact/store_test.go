package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	id    = execution.ID("exec_1762548673499_vqx7d3cpo")
	other = execution.ID("exec_1762548673499_vqx7d3cpp")
)

// fakeS3 is a bucket "outputs" in this process.
func fakeS3(t *testing.T) (endpoint string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("outputs"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	return server.URL
}

var keys = Options{AccessKeyID: "key", SecretAccessKey: "secret"}

// eachStore runs a test against every driver: they keep the same promises.
func eachStore(t *testing.T, test func(t *testing.T, st Store)) {
	for name, url := range map[string]func(t *testing.T) string{
		"folder": func(t *testing.T) string { return "file://" + filepath.Join(t.TempDir(), "outputs") },
		"bucket": func(t *testing.T) string { return "s3://outputs/a/b/?style=path&region=auto&endpoint=" + fakeS3(t) },
	} {
		t.Run(name, func(t *testing.T) {
			st, err := Open(url(t), keys)
			if err != nil {
				t.Fatal(err)
			}
			test(t, st)
		})
	}
}

func put(t *testing.T, st Store, id execution.ID, p, content string) {
	t.Helper()
	if err := st.Put(t.Context(), id, p, strings.NewReader(content), int64(len(content)), ContentType(p)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, st Store, id execution.ID, p string) string {
	t.Helper()
	o, err := st.Open(t.Context(), id, p)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	data, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWhatWasPutIsListedReadAndDeleted(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		ctx := t.Context()
		if err := st.Check(ctx); err != nil {
			t.Fatal(err)
		}
		put(t, st, id, "b/report.html", "<p>")
		put(t, st, id, "a.json", "{}")
		put(t, st, id, "a.json", `{"new":1}`) // the later one counts
		put(t, st, id, "ünïcode and space+%.txt", "")
		put(t, st, other, "theirs.txt", "x")
		list, err := st.List(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range list {
			got = append(got, fmt.Sprint(i.Path, " ", i.Size, " ", i.ContentType))
			if time.Since(i.ModTime) > time.Hour {
				t.Errorf("%s is from %s", i.Path, i.ModTime)
			}
		}
		want := "a.json 9 application/json|b/report.html 3 text/html; charset=utf-8|ünïcode and space+%.txt 0 text/plain; charset=utf-8"
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("list is\n%s\nwant\n%s", s, want)
		}
		if s := get(t, st, id, "a.json"); s != `{"new":1}` {
			t.Errorf("a.json holds %q", s)
		}
		for range 2 { // the second time there is nothing
			if err := st.Delete(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if list, err = st.List(ctx, id); err != nil || len(list) != 0 {
			t.Errorf("after Delete: %v %v", list, err)
		}
		if s := get(t, st, other, "theirs.txt"); s != "x" {
			t.Errorf("the other execution's file holds %q", s)
		}
	})
}

func TestAnAreaIsApart(t *testing.T) {
	for name, url := range map[string]string{
		"folder": "file://" + filepath.Join(t.TempDir(), "outputs"),
		"bucket": "s3://outputs/a?style=path&region=auto&endpoint=" + fakeS3(t),
	} {
		t.Run(name, func(t *testing.T) {
			o := keys
			o.Area = ".internal"
			whole, err := Open(url, keys)
			area, areaErr := Open(url, o)
			if err := errors.Join(err, areaErr); err != nil {
				t.Fatal(err)
			}
			put(t, whole, id, "a.txt", "outside")
			put(t, area, id, "a.txt", "inside")
			if got := get(t, whole, id, "a.txt") + " " + get(t, area, id, "a.txt"); got != "outside inside" {
				t.Fatalf("read %q", got)
			}
			if err := area.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if got := get(t, whole, id, "a.txt"); got != "outside" {
				t.Fatalf("read %q", got)
			}
			list, err := area.List(t.Context(), id)
			if err != nil || len(list) != 0 {
				t.Fatalf("the area still holds %v, %v", list, err)
			}
		})
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		put(t, st, id, "dir/file", "x")
		for _, p := range []string{"none", "dir", "dir/none"} {
			if _, err := st.Open(t.Context(), id, p); execution.CodeOf(err) != execution.NotFound {
				t.Errorf("%s: %v", p, err)
			}
		}
		for _, p := range []string{"", ".", "..", "../x", "/etc/passwd", "a/../../b", "a//b", "a/", "a\x00b", "a\\b", "\xff", strings.Repeat("x", 256)} {
			if _, err := st.Open(t.Context(), id, p); execution.CodeOf(err) != execution.Invalid {
				t.Errorf("open %q: %v", p, err)
			}
			if err := st.Put(t.Context(), id, p, strings.NewReader("x"), 1, ""); execution.CodeOf(err) != execution.Invalid {
				t.Errorf("put %q: %v", p, err)
			}
		}
		for _, bad := range []execution.ID{"", "..", "exec_1_../../..", ".tmp"} {
			if _, err := st.List(t.Context(), bad); err == nil {
				t.Errorf("list of %q", bad)
			}
			if err := st.Delete(t.Context(), bad); err == nil {
				t.Errorf("delete of %q", bad)
			}
		}
	})
}

func TestAPutThatBreaksOffLeavesWhatWasThere(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		put(t, st, id, "f", "old")
		broken := io.MultiReader(strings.NewReader("new"), iotest.ErrReader(errors.New("disk gone")))
		if err := st.Put(t.Context(), id, "f", broken, 10, ""); err == nil {
			t.Error("a broken reader was taken")
		}
		if err := st.Put(t.Context(), id, "f", strings.NewReader("short"), 10, ""); err == nil {
			t.Error("too few bytes were taken")
		}
		if s := get(t, st, id, "f"); s != "old" {
			t.Errorf("the file holds %q", s)
		}
	})
}

func TestALargeStreamArrivesWhole(t *testing.T) {
	const size = 17 << 20 // more than one part
	eachStore(t, func(t *testing.T, st Store) {
		for _, said := range []int64{-1, size} {
			sum := sha256.New()
			r := io.TeeReader(io.LimitReader(endless(), size), sum)
			if err := st.Put(t.Context(), id, "big.bin", r, said, ""); err != nil {
				t.Fatal(err)
			}
			o, err := st.Open(t.Context(), id, "big.bin")
			if err != nil {
				t.Fatal(err)
			}
			back := sha256.New()
			if n, err := io.Copy(back, o); err != nil || n != size || !bytes.Equal(back.Sum(nil), sum.Sum(nil)) {
				t.Errorf("said to be %d: %d bytes came back, %v", said, n, err)
			}
			_ = o.Close()
		}
	})
}

// endless is a stream that does not repeat, so that parts cannot be confused.
func endless() io.Reader { return rand.NewChaCha8([32]byte{}) }

func TestRangesAreServedOverHTTP(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		put(t, st, id, "t.txt", "0123456789")
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			o, err := st.Open(r.Context(), id, "t.txt")
			if err != nil {
				t.Error(err)
				return
			}
			defer o.Close()
			w.Header().Set("Content-Type", o.Info().ContentType)
			http.ServeContent(w, r, "", o.Info().ModTime, o)
		}))
		defer server.Close()
		for header, want := range map[string]string{"": "0123456789", "bytes=2-4": "234", "bytes=-3": "789", "bytes=7-": "789"} {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			req.Header.Set("Range", header)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if string(body) != want {
				t.Errorf("range %q: %d %q", header, resp.StatusCode, body)
			}
		}
	})
}

func TestMoreThanAThousandFilesAreListedAndDeleted(t *testing.T) {
	const many = 1005 // S3 lists 1000 a page
	eachStore(t, func(t *testing.T, st Store) {
		for i := range many {
			put(t, st, id, fmt.Sprintf("d%d/%04d", i%3, i), "x")
		}
		if list, err := st.List(t.Context(), id); err != nil || len(list) != many {
			t.Fatalf("%d files, %v", len(list), err)
		}
		if err := st.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if list, err := st.List(t.Context(), id); err != nil || len(list) != 0 {
			t.Errorf("%d files left, %v", len(list), err)
		}
	})
}

func TestAnEndedContextEndsAPut(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := st.Put(ctx, id, "f", endless(), -1, ""); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestABadURLIsExplainedWithoutItsPassword(t *testing.T) {
	for url, want := range map[string]string{
		"http://x":              "scheme",
		"file://outputs":        "three slashes",
		"file:///x?y=1":         "three slashes",
		"s3://":                 "names no bucket",
		"s3://u:hush@bucket":    "must not hold credentials",
		"s3://b?endpoint=host":  "endpoint",
		"s3://b?style=odd":      "style",
		"s3://b?bucket=x":       `parameter "bucket"`,
		"s3://b/../c":           "prefix",
		"s3://%zz:hush@bucket/": "not a URL",
	} {
		_, err := Open(url, keys)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, err := Open("s3://b", Options{}); err == nil || !strings.Contains(err.Error(), "ARTIFACTS_ACCESS_KEY_ID") {
		t.Errorf("without keys: %v", err)
	}
	st, err := Open("s3:///p?endpoint=https://h", Options{AccessKeyID: "k", SecretAccessKey: "s", Bucket: "b"})
	if b, ok := st.(*bucket); err != nil || !ok || b.name != "b" || b.prefix != "p/" {
		t.Errorf("%+v %v", st, err)
	}
}

func TestWithoutAStoreNothingIsKeptAndNothingFails(t *testing.T) {
	st, err := Open("", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := st.List(t.Context(), id); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := st.Open(t.Context(), id, "x"); execution.CodeOf(err) != execution.NotFound {
		t.Errorf("got %v", err)
	}
	if err := st.Delete(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestABucketThatIsNotThereFailsItsCheck(t *testing.T) {
	st, err := Open("s3://absent?endpoint="+fakeS3(t), keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "ARTIFACTS_URL") {
		t.Errorf("got %v", err)
	}
}

func TestWhatACrashLeftHalfWrittenIsSwept(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "new": time.Hour} {
		file := filepath.Join(dir, tmpDir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644),
			os.Chtimes(file, time.Time{}, time.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open("file://"+dir, Options{}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, tmpDir))
	if err != nil || len(left) != 1 || left[0].Name() != "new" {
		t.Errorf("%v %v", left, err)
	}
}

func TestLinksInTheFolderLeadNowhere(t *testing.T) {
	outside, dir := tree(t, map[string]string{"secret": "hush"}), t.TempDir()
	st, err := Open("file://"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, st, id, "real", "x")
	in := filepath.Join(dir, string(id))
	if err := errors.Join(os.Symlink(filepath.Join(outside, "secret"), filepath.Join(in, "link")), os.Symlink(outside, filepath.Join(in, "dir"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"link", "dir/secret"} {
		if _, err := st.Open(t.Context(), id, p); execution.CodeOf(err) != execution.NotFound {
			t.Errorf("%s: %v", p, err)
		}
	}
	if err := st.Put(t.Context(), id, "dir/new", strings.NewReader("x"), 1, ""); err == nil {
		t.Error("a file was put outside of the folder")
	}
	if list, err := st.List(t.Context(), id); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
	if err := st.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Errorf("Delete followed a link: %v", err)
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, p := range []string{"a/b.txt", "..", "a/../b", "/a", "a//b", "a\\b", "\xff", "a\x00", ".", "a/", "...", " "} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if CleanPath(p) == nil && (!filepath.IsLocal(p) || filepath.Clean(p) != p || !fs.ValidPath(p) || strings.ContainsAny(p, "\\\x00\n")) {
			t.Errorf("%q was taken", p)
		}
	})
}
