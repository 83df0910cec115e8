package engine

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const docsFile = "../../docs/engines.md"

func docs(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEveryKeyIsDocumented(t *testing.T) {
	text := docs(t)
	for _, of := range []any{file{}, entryFile{}, rawCommand{}, limitsFile{}} {
		keys(reflect.TypeOf(of), func(key string) {
			if !strings.Contains(text, "`"+key+"`") && !strings.Contains(text, "\n"+key+":") && !strings.Contains(text, "      "+key+":") {
				t.Errorf("%s does not say what %s is", docsFile, key)
			}
		})
	}
}

func keys(t reflect.Type, see func(string)) {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, inline, _ := strings.Cut(f.Tag.Get("yaml"), ","); inline == "inline" {
			keys(f.Type, see)
		} else {
			see(name)
		}
	}
}

func TestTheExamplesOfTheDocumentationAreTaken(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(docs(t), -1)
	if len(blocks) < 6 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		if _, err := Parse([]byte(b[1]), t.TempDir()); err != nil {
			t.Errorf("%s\n%v", b[1], err)
		}
	}
}
