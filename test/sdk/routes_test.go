package sdk

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/test/rig"
)

// notForClients are the routes that clients have other ways for.
var notForClients = map[string]string{
	"/execute/ws/{id}":           "the stream has the same events",
	"/execute/stream-token/{id}": "for EventSource, which clients do without",
}

// Every client has a method for every route on executions, artifacts, engines, workers and the line.
func TestEveryClientKnowsEveryRoute(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(rig.Root(), "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]string{}
	for _, pattern := range []string{"sdk/python/longhaul/aio.py", "sdk/typescript/src/client.ts", "pkg/client/executions.go"} {
		clients[pattern] = source(t, pattern)
	}
	clients["sdk/typescript/src/client.ts"] += source(t, "sdk/typescript/src/stream.ts")
	clients["pkg/client/executions.go"] += source(t, "pkg/client/stream.go")
	routes := 0
	for _, m := range regexp.MustCompile(`(?m)^ {2}(/(?:execute|outputs|engines|workers|queue)(?:/.*)?):$`).FindAllStringSubmatch(string(document), -1) {
		route := m[1]
		if notForClients[route] != "" || route == "/execute" { // start and stream in one: clients do one after the other
			continue
		}
		routes++
		word := strings.Split(strings.TrimPrefix(strings.TrimPrefix(route, "/execute"), "/"), "/")[0]
		for client, text := range clients {
			if !regexp.MustCompile(`["/]` + word + `["/]`).MatchString(text) {
				t.Errorf("%s knows no %s", client, route)
			}
		}
	}
	if routes < 10 {
		t.Errorf("only %d routes were found", routes)
	}
}

func source(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
