package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// loggers are slog's methods that take a message and then keys and values, by
// how many arguments come before the first key.
var loggers = map[string]int{
	"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "With": 0,
	"DebugContext": 2, "InfoContext": 2, "WarnContext": 2, "ErrorContext": 2,
}

// Operators search the log by these, over all packages.
func TestLinesOfTheLogNameThingsInOneWay(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	others := map[string]string{"execution": "execution_id", "exec_id": "execution_id", "id": "execution_id", "err": "error", "try": "attempt"}
	secret := regexp.MustCompile(`(?i)token|secret|password|redis_url|authorization|args|env$`)
	seen := 0
	for _, folder := range []string{"pkg", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				keys, ok := keysOf(n)
				if !ok {
					return true
				}
				at := set.Position(n.Pos())
				for _, key := range keys {
					seen++
					if !form.MatchString(key) || others[key] != "" {
						t.Errorf("%s: the key %q: say %q", at, key, others[key])
					}
					if secret.MatchString(key) {
						t.Errorf("%s: the key %q promises a secret", at, key)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 80 {
		t.Errorf("only %d keys were found", seen)
	}
}

// keysOf gives the keys of a call of a logger.
func keysOf(n ast.Node) (keys []string, ok bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall {
		return nil, false
	}
	method, isMethod := call.Fun.(*ast.SelectorExpr)
	if !isMethod {
		return nil, false
	}
	first, known := loggers[method.Sel.Name]
	if !known || !isLogger(method.X) {
		return nil, false
	}
	for i := first; i < len(call.Args); i += 2 {
		if lit, isLit := call.Args[i].(*ast.BasicLit); isLit && lit.Kind == token.STRING {
			key, _ := strconv.Unquote(lit.Value)
			keys = append(keys, key)
		}
	}
	return keys, true
}

// isLogger goes by the name: log, p.log, o.Logger, r.o.Logger.
func isLogger(x ast.Expr) bool {
	name := ""
	switch x := x.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	return name == "log" || name == "Logger" || name == "asynqLog"
}
