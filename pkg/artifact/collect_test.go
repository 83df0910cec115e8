package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// tree writes files into a fresh folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func collect(t *testing.T, st Store, dir string, l Limits) (Summary, []Info) {
	t.Helper()
	var kept []Info
	sum, err := Collect(t.Context(), st, id, dir, l, func(i Info) { kept = append(kept, i) })
	if err != nil {
		t.Fatal(err)
	}
	return sum, kept
}

func folderStore(t *testing.T) Store {
	t.Helper()
	st, err := Open("file://"+t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func paths(list []Info) []string {
	var out []string
	for _, i := range list {
		out = append(out, i.Path)
	}
	return out
}

func TestEveryRegularFileIsKeptInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, st Store) {
		dir := tree(t, map[string]string{"b.txt": "bb", "a/deep/er/c.json": "{}", "a/.hidden": "h", "empty": ""})
		sum, kept := collect(t, st, dir, DefaultLimits())
		if want := []string{"a/.hidden", "a/deep/er/c.json", "b.txt", "empty"}; !slices.Equal(paths(kept), want) {
			t.Errorf("kept %q, want %q", paths(kept), want)
		}
		if sum.Files != 4 || sum.Bytes != 5 || sum.Left != 0 || sum.Problems != nil {
			t.Errorf("%+v", sum)
		}
		if kept[1].SHA256 != "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" || kept[1].ContentType != "application/json" {
			t.Errorf("%+v", kept[1])
		}
		if s := get(t, st, id, "a/deep/er/c.json"); s != "{}" {
			t.Errorf("it holds %q", s)
		}
	})
}

func TestLinksFifosAndOddNamesAreLeftAndReported(t *testing.T) {
	outside := tree(t, map[string]string{"secret": "hush"})
	dir := tree(t, map[string]string{"good.txt": "x", "bad\xff\xfename": "x", "new\nline": "x", `back\slash`: "x", strings.Repeat("n/", 460) + "f": "x"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")))
	must(os.Symlink(outside, filepath.Join(dir, "linkdir")))
	must(os.Symlink("good.txt", filepath.Join(dir, "inner")))
	must(os.Symlink(".", filepath.Join(dir, "loop")))
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	socket, err := net.Listen("unix", filepath.Join(dir, "sock"))
	must(err)
	defer socket.Close()

	sum, kept := collect(t, folderStore(t), dir, DefaultLimits())
	if !slices.Equal(paths(kept), []string{"good.txt"}) {
		t.Errorf("kept %q", paths(kept))
	}
	all := strings.Join(sum.Problems, "\n")
	for _, want := range []string{`"link" is a symbolic link`, `"linkdir" is a symbolic link`, `"fifo" is a named pipe`, `"sock" is a socket`, "not valid UTF-8", "control character", "nested deeper"} {
		if !strings.Contains(all, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(all, "hush") || sum.Left != 9 {
		t.Errorf("%d left:\n%s", sum.Left, all)
	}
}

func TestOverALimitWhatFitsIsKept(t *testing.T) {
	dir := tree(t, map[string]string{"a": "1234", "b": "123456789", "c": "12", "d": "1234"})
	sum, kept := collect(t, folderStore(t), dir, Limits{MaxFiles: 10, MaxBytes: 10})
	if !slices.Equal(paths(kept), []string{"a", "c", "d"}) || sum.Left != 1 || !strings.Contains(sum.Problems[0], "ARTIFACTS_MAX_BYTES") {
		t.Errorf("%q %+v", paths(kept), sum)
	}
	sum, kept = collect(t, folderStore(t), dir, Limits{MaxFiles: 2, MaxBytes: 100})
	if !slices.Equal(paths(kept), []string{"a", "b"}) || sum.Left != 2 || !strings.Contains(sum.Problems[0], "ARTIFACTS_MAX_FILES") {
		t.Errorf("%q %+v", paths(kept), sum)
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	dir := t.TempDir()
	for i := range 30 {
		if err := os.Symlink("x", filepath.Join(dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	sum, _ := collect(t, folderStore(t), dir, DefaultLimits())
	if len(sum.Problems) != maxProblems+1 || sum.Left != 30 || !strings.Contains(sum.Problems[maxProblems], "10 more") {
		t.Errorf("%d problems, %d left", len(sum.Problems), sum.Left)
	}
}

func TestAFolderThatIsGoneIsNoFailure(t *testing.T) {
	sum, _ := collect(t, folderStore(t), filepath.Join(t.TempDir(), "gone"), DefaultLimits())
	if sum.Files != 0 || sum.Problems != nil {
		t.Errorf("%+v", sum)
	}
}

func TestWithoutAStoreTheFilesAreCounted(t *testing.T) {
	sum, _ := collect(t, none{}, tree(t, map[string]string{"a": "", "b": ""}), DefaultLimits())
	if sum.Left != 2 || len(sum.Problems) != 1 || !strings.Contains(sum.Problems[0], "ARTIFACTS_URL") {
		t.Errorf("%+v", sum)
	}
}

// picky fails to keep the files that it is told to.
type picky struct {
	Store
	fail func(p string) bool
	puts int
}

func (p *picky) Put(ctx context.Context, id execution.ID, path string, r io.Reader, size int64, ct string) error {
	p.puts++
	if p.fail(path) {
		return errors.New("503")
	}
	return p.Store.Put(ctx, id, path, r, size, ct)
}

func TestOneFailureDoesNotStopTheRest(t *testing.T) {
	st := &picky{Store: folderStore(t), fail: func(p string) bool { return p == "b" }}
	sum, kept := collect(t, st, tree(t, map[string]string{"a": "", "b": "", "c": ""}), DefaultLimits())
	if !slices.Equal(paths(kept), []string{"a", "c"}) || sum.Left != 1 || !strings.Contains(sum.Problems[0], `"b" could not be stored`) {
		t.Errorf("%q %+v", paths(kept), sum)
	}
}

func TestAStoreThatIsAwayIsNotAskedAThousandTimes(t *testing.T) {
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprint(i)] = ""
	}
	st := &picky{Store: folderStore(t), fail: func(string) bool { return true }}
	sum, err := Collect(t.Context(), st, id, tree(t, files), DefaultLimits(), nil)
	if err == nil || st.puts != maxPutErrors || !strings.Contains(strings.Join(sum.Problems, " "), "ARTIFACTS_URL") {
		t.Errorf("%d puts, %v, %+v", st.puts, err, sum)
	}
}

func TestAnEndedContextEndsTheCollection(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("drained")
	cancel(cause)
	if _, err := Collect(ctx, folderStore(t), id, tree(t, map[string]string{"a": ""}), DefaultLimits(), nil); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}
