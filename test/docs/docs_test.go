// Package docs checks what the documents say against the repository.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	// A path in backticks that begins at the top of the repository.
	named = regexp.MustCompile("`((?:cmd|pkg|docs|examples|bench|test|deploy|api)/[A-Za-z0-9_./-]+)`")
	// A make target in a line to be typed.
	target = regexp.MustCompile(`(?m)^make ([a-z-]+)`)
	// A test that stands behind a promise.
	promised = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
)

func TestEveryPathThatADocumentNamesExists(t *testing.T) {
	root := "../.."
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	tests := sources(t, root)
	documents := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			documents++
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(m[1], "://") && !exists(filepath.Join(filepath.Dir(file), m[1])) {
					t.Errorf("%s links to %s", file, m[1])
				}
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				if !exists(filepath.Join(root, m[1])) {
					t.Errorf("%s names %s", file, m[1])
				}
			}
			for _, m := range promised.FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(tests, "func "+m[1]+"(") {
					t.Errorf("%s names %s", file, m[1])
				}
			}
			for _, m := range target.FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s tells to make %s", file, m[1])
				}
			}
		}
	}
	if documents < 10 {
		t.Errorf("only %d documents found", documents)
	}
}

// sources are all test files.
func sources(t *testing.T, root string) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"test", "pkg"} {
		files, err := filepath.Glob(filepath.Join(root, folder, "*", "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
