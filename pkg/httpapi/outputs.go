package httpapi

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
)

type artifactsOutput struct {
	Cache string `header:"Cache-Control"`
	Body  api.Artifacts
}

type downloadInput struct {
	PathID
	Inline bool   `query:"inline" doc:"1: show it in the browser, if its type is harmless"`
	Range  string `header:"Range" doc:"Only these bytes" example:"bytes=0-1023"`
}

func (s *Server) outputsRoutes() {
	operation(s, streamToken, huma.Operation{
		OperationID: "listArtifacts", Method: http.MethodGet, Path: "/outputs/{id}", Tags: []string{"artifacts"},
		Summary: "List the files that an engine left",
	}, s.listArtifacts, http.StatusNotFound, http.StatusServiceUnavailable)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		op := huma.Operation{
			OperationID: "downloadArtifact", Method: method, Path: downloadRoute, Tags: []string{"artifacts"},
			Summary: "Download one of them",
			Responses: map[string]*huma.Response{
				"200": response("The file", text("*/*")), "206": response("A part of it", text("*/*")),
				"304": response("It has not changed", nil),
			},
		}
		if method == http.MethodHead {
			op.OperationID, op.Summary = "headArtifact", "Ask about one of them"
		}
		operation(s, streamToken, op, s.download, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable, http.StatusServiceUnavailable)
	}
	s.documentDownload()
}

const downloadRoute = "/outputs/{id}/*"

// documentDownload names the path in the document: OpenAPI has no wildcard, and
// echo has no named one.
func (s *Server) documentDownload() {
	paths := s.api.OpenAPI().Paths
	item := paths[downloadRoute]
	delete(paths, downloadRoute)
	paths["/outputs/{id}/{path}"] = item
	for _, op := range []*huma.Operation{item.Get, item.Head} {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "path", In: "path", Required: true, Description: "The file's path; it may hold slashes",
			Schema: &huma.Schema{Type: huma.TypeString}, Example: "report/index.html",
		})
	}
}

func (s *Server) listArtifacts(ctx context.Context, in *PathID) (*artifactsOutput, error) {
	rec, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := s.artifactsOf(ctx, rec.ID)
	return &artifactsOutput{"no-cache", api.Artifacts{ID: rec.ID, Artifacts: list}}, err
}

func (s *Server) artifactsOf(ctx context.Context, id execution.ID) ([]api.Artifact, error) {
	list := []api.Artifact{}
	if s.Artifacts == nil {
		return list, nil
	}
	kept, err := s.Artifacts.List(ctx, id)
	if err != nil {
		return list, storeAway(err)
	}
	for _, info := range kept {
		list = append(list, api.Artifact{Path: info.Path, Size: info.Size, ContentType: info.ContentType, URL: artifactURL(id, info.Path)})
	}
	return list, nil
}

func artifactURL(id execution.ID, p string) string {
	return (&url.URL{Path: "/outputs/" + string(id) + "/" + p}).EscapedPath()
}

// storeAway keeps errors that have a meaning, and takes the others for a store
// that is away, which passes.
func storeAway(err error) error {
	if _, ok := errors.AsType[*execution.Error](err); ok {
		return err
	}
	return &execution.Error{Code: execution.Unavailable, Message: "the store of artifacts cannot be reached (the setting ARTIFACTS_URL)", Err: err}
}

func (s *Server) download(ctx context.Context, in *downloadInput) (*huma.StreamResponse, error) {
	id, err := execution.ParseID(in.ID)
	if err != nil {
		return nil, err
	}
	if s.Artifacts == nil {
		return nil, execution.Errorf(execution.NotFound, "no artifacts are kept here: set ARTIFACTS_URL")
	}
	// The decoded path: names may hold what a URL must escape.
	name := strings.TrimPrefix(requestOf(ctx).path, "/outputs/"+in.ID+"/")
	file, err := s.Artifacts.Open(ctx, id, name)
	if execution.CodeOf(err) == execution.Invalid {
		err = &execution.Error{Code: execution.NotFound, Message: "no such artifact: its path must be relative and clean", Err: err}
	}
	if err != nil {
		return nil, storeAway(err)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { _ = file.Close() }() // it was only read
		c := humaecho.Unwrap(hc)
		info := file.Info()
		describeFile(c.Response().Header(), &info, in.Inline)
		http.ServeContent(&rangeProblems{ResponseWriter: c.Response(), request: requestOf(ctx)}, c.Request(), "", info.ModTime, file)
	}}, nil
}

// describeFile sets the headers that keep a file of an engine from acting in
// the name of this server: it is downloaded, or shown in a sandbox.
func describeFile(h http.Header, info *artifact.Info, inline bool) {
	kind, _, _ := mime.ParseMediaType(info.ContentType)
	h.Set("Content-Type", info.ContentType)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime.UnixMilli(), info.Size))
	if policy, ok := sandboxes[kind]; ok {
		h.Set("Content-Security-Policy", policy)
	}
	disposition := "attachment"
	if inline && (harmless[kind] || sandboxes[kind] != "" || strings.HasPrefix(kind, "image/") ||
		strings.HasPrefix(kind, "audio/") || strings.HasPrefix(kind, "video/")) {
		disposition = "inline"
	}
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": path.Base(info.Path)}))
}

// sandboxes are the policies for documents that can hold scripts. A sandboxed
// page has an origin of its own, so its scripts (slides need theirs) reach
// neither this API nor the network.
var sandboxes = map[string]string{
	"text/html":             htmlPolicy,
	"application/xhtml+xml": htmlPolicy,
	"image/svg+xml":         "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
	"text/xml":              "sandbox; default-src 'none'",
	"application/xml":       "sandbox; default-src 'none'",
}

const htmlPolicy = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; font-src data:; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// harmless types show nothing but themselves.
var harmless = map[string]bool{
	"text/plain": true, "text/csv": true, "text/markdown": true, "application/json": true, "application/pdf": true,
}

// rangeProblems turns ServeContent's plain text for a bad range into a problem.
type rangeProblems struct {
	http.ResponseWriter
	request *request
	refused bool
}

// WriteHeader implements http.ResponseWriter.
func (w *rangeProblems) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	for _, name := range []string{"Content-Disposition", "Content-Security-Policy", "ETag", "Last-Modified"} {
		w.Header().Del(name)
	}
	writeProblem(w.ResponseWriter, describe(w.request, execution.Errorf(api.CodeRangeFailed, "the header Range asks for bytes that this file does not have")))
}

// Write implements io.Writer.
func (w *rangeProblems) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
