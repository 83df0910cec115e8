package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/httpapi"
)

func TestProfilesAreForTheirTokenOnly(t *testing.T) {
	w := newWorld(t, func(o *httpapi.Options) { o.ProfileToken = "a-token-for-profiles" })
	w.http = plain // the document does not have them
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
		w.problem(http.StatusUnauthorized, "GET", path, "") // the API's own token
		w.problem(http.StatusUnauthorized, "GET", path, "", "Authorization", "")
	}
	res := w.do("GET", "/debug/pprof/goroutine?debug=1", "", "Authorization", "Bearer a-token-for-profiles")
	if body := string(readAll(t, res)); res.StatusCode != http.StatusOK || !strings.HasPrefix(body, "goroutine profile:") {
		t.Errorf("%d %.80s", res.StatusCode, body)
	}
}

func TestWithoutATokenThereAreNoProfiles(t *testing.T) {
	w := newWorld(t)
	w.problem(http.StatusNotFound, "GET", "/debug/pprof/heap", "")
}
