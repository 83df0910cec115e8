package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
)

// upload is a start as multipart/form-data: a part "request", which is the JSON
// that the body is otherwise, and then the files, which are stored as they come
// and never held in memory.
type upload struct {
	parts *multipart.Reader
	room  int64 // bytes that files may still have
	limit int64 // MAX_UPLOAD_BYTES
}

type uploadKey struct{}

func uploadOf(ctx context.Context) *upload {
	up, _ := ctx.Value(uploadKey{}).(*upload)
	return up
}

// maxFiles of one request: the spec names each, and stays in Redis.
const maxFiles = 256

// takeUpload lets the part "request" stand for the body, so that it is checked
// as a body is. The files stay for submit to read.
func (s *Server) takeUpload(hc huma.Context, next func(huma.Context)) {
	kind, params, _ := mime.ParseMediaType(hc.Header("Content-Type"))
	if kind != "multipart/form-data" {
		next(hc)
		return
	}
	up := &upload{
		parts: multipart.NewReader(&patientReader{hc.BodyReader(), hc.SetReadDeadline, s.BodyTimeout}, params["boundary"]),
		room:  s.MaxUploadBytes, limit: s.MaxUploadBytes,
	}
	request, err := up.parts.NextRawPart()
	if err == nil && request.FormName() != "request" {
		err = execution.InvalidField("request", "must be the first part: the JSON of the request")
	} else if err != nil {
		err = brokenOff(err)
	}
	if err != nil {
		_ = huma.WriteErr(s.api, hc, 0, "", err)
		return
	}
	next(&partContext{huma.WithValue(hc, uploadKey{}, up), request})
}

// partContext has a part in place of the body.
type partContext struct {
	humaContext
	body io.Reader
}

type humaContext = huma.Context // so that the field does not hide the method Context

// BodyReader implements huma.Context.
func (c *partContext) BodyReader() io.Reader { return c.body }

// Header implements huma.Context.
func (c *partContext) Header(name string) string {
	if strings.EqualFold(name, "Content-Type") {
		return "application/json"
	}
	return c.humaContext.Header(name)
}

// Unwrap lets huma's adapter find its own context.
func (c *partContext) Unwrap() huma.Context { return c.humaContext }

// patientReader gives each read a deadline of its own: a large upload may take
// its time, and one that stands still is cut.
type patientReader struct {
	r       io.Reader
	extend  func(time.Time) error
	timeout time.Duration
}

// Read implements io.Reader.
func (r *patientReader) Read(p []byte) (int, error) {
	_ = r.extend(time.Now().Add(r.timeout)) // a recorder in tests has none
	return r.r.Read(p)
}

// keep stores the files under id.
func (up *upload) keep(ctx context.Context, store artifact.Store, id execution.ID) (files []execution.File, err error) {
	for {
		part, err := up.parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, brokenOff(err)
		}
		where := fmt.Sprintf("files[%d]", len(files))
		name, err := up.name(part, files)
		if err != nil {
			return nil, execution.InvalidField(where, err.Error())
		}
		if store == nil {
			return nil, execution.InvalidField(where, "cannot be kept: this server has no store for files (the setting ARTIFACTS_URL, the same for API and workers)")
		}
		file, err := up.keepOne(ctx, store, id, name, part)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
}

// name is the path that a part is to have, as it was sent: multipart.Part would
// take the folders off.
func (up *upload) name(part *multipart.Part, have []execution.File) (string, error) {
	_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name := params["filename"]
	switch {
	case part.FormName() != "files":
		return "", errors.New("is a part of another name: after request come only parts named files")
	case len(have) == maxFiles:
		return "", fmt.Errorf("is one too many: at most %d are taken; put them into an archive", maxFiles)
	case name == "":
		return "", errors.New("has no filename")
	}
	if e, ok := errors.AsType[*execution.Error](artifact.CleanPath(name)); ok {
		return "", errors.New("has a filename that " + e.Fields[0].Message)
	}
	for _, f := range have {
		if f.Path == name || strings.HasPrefix(f.Path, name+"/") || strings.HasPrefix(name, f.Path+"/") {
			return "", errors.New("has the path of another file, or of a folder of one")
		}
	}
	return name, nil
}

func (up *upload) keepOne(ctx context.Context, store artifact.Store, id execution.ID, name string, part io.Reader) (execution.File, error) {
	src := &boundedReader{r: part, room: up.room, limit: up.limit}
	file, err := artifact.PutInput(ctx, store, id, name, src)
	up.room = src.room
	if src.err != nil { // whatever the store makes of it
		return file, src.err
	}
	if err != nil {
		return file, storeAway(err)
	}
	return file, nil
}

// boundedReader ends with an error for the caller of the API, and keeps it.
type boundedReader struct {
	r           io.Reader
	room, limit int64
	err         error
}

// Read implements io.Reader.
func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.room -= int64(n)
	switch {
	case b.room < 0:
		b.err = execution.Errorf(execution.TooLarge, "the files have more than %d bytes together (the setting MAX_UPLOAD_BYTES)", b.limit)
	case err != nil && !errors.Is(err, io.EOF):
		b.err = brokenOff(err)
	default:
		return n, err
	}
	return n, b.err
}

// brokenOff is an upload that ended too early, or made no sense.
func brokenOff(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &execution.Error{Code: api.CodeSlowBody, Message: "nothing more of the body came", Err: err}
	}
	return &execution.Error{Code: api.CodeMalformed, Message: "the body is no multipart/form-data, or it broke off", Err: err}
}

// documentUpload adds the other form of the body to the document.
func (s *Server) documentUpload() {
	content := s.api.OpenAPI().Paths["/execute/start"].Post.RequestBody.Content
	content["multipart/form-data"] = &huma.MediaType{
		Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"request"},
			Properties: map[string]*huma.Schema{
				"request": content["application/json"].Schema,
				"files": {
					Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Format: "binary"},
					Description: "Files for the engine, which finds them in EXECUTION_INPUT_DIR under the filenames of their parts: relative paths with slashes. Together at most MAX_UPLOAD_BYTES.",
				},
			},
		},
		Encoding: map[string]*huma.Encoding{"request": {ContentType: "application/json"}},
	}
}
