package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/runner"
)

// An attempt's folder may have been another's, if that one left it as it was.
func TestAFolderIsUsedAgainOnlyAsItWasMade(t *testing.T) {
	t.Parallel()
	var workdir string
	w := newWorker(t, func(o *runner.Options) { workdir = o.Workdir })
	root := rootOf(t, workdir)
	spares := func() int {
		all, err := filepath.Glob(filepath.Join(root, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			if !strings.HasPrefix(filepath.Base(path), "spare-") {
				t.Errorf("left behind: %s", path)
			}
		}
		return len(all)
	}
	check(t, w.run("true", nil), execution.Completed, execution.ReasonExited, "")
	if n := spares(); n != 1 {
		t.Fatalf("%d folders are kept", n)
	}
	for _, dirty := range []string{
		`echo x > file`,
		`echo x > "$EXECUTION_OUTPUT_DIR/file"`,
		`mkdir "$EXECUTION_CHECKPOINT_DIR/folder"`,
		`echo 1 > "$EXECUTION_RESULT_FILE"`,
		`echo x > ../file`,
		`chmod 755 .`,
		`chmod 755 ..`,
		`cd /; rmdir "$OLDPWD"; ln -s /tmp "$OLDPWD"`,
		`rm -r "$EXECUTION_CHECKPOINT_DIR"`,
	} {
		// What is there to begin with, then the mess, which must not be met again.
		script := `[ -z "$(ls -A .)" ] && [ -z "$(ls -A "$EXECUTION_OUTPUT_DIR")" ] && [ -z "$(ls -A "$EXECUTION_CHECKPOINT_DIR")" ] && [ "$(ls -A ..)" = "$(printf 'attempt.json\ncheckpoint\noutputs\nwork')" ] && [ "$(stat -c %a . ..)" = "$(printf '700\n700')" ] || exit 9; ` + dirty
		check(t, w.run(script, nil), execution.Completed, execution.ReasonExited, "")
		if n := spares(); n != 0 {
			t.Errorf("after %q %d folders are kept", dirty, n)
		}
		check(t, w.run("true", nil), execution.Completed, execution.ReasonExited, "")
		if n := spares(); n != 1 {
			t.Errorf("%d folders are kept", n)
		}
	}
	all, _ := filepath.Glob(filepath.Join(root, "spare-*"))
	for _, path := range all {
		if err := os.RemoveAll(path); err != nil { // a cleaner of old files was here
			t.Fatal(err)
		}
	}
	check(t, w.run("true", nil), execution.Completed, execution.ReasonExited, "")
	for end := time.Now().Add(time.Minute); spares() > 0; <-time.After(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("an idle worker keeps folders")
		}
	}
}
