package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"

	"github.com/longhaul/longhaul/pkg/api"
)

// File is one that a request brings for its engine, which finds it in
// EXECUTION_INPUT_DIR under its path: relative, with slashes.
type File struct {
	Path string
	Open func() (io.ReadCloser, error) // again for each try
}

// StartWith is Start with files. They are sent as they are read, and again when
// an answer was lost.
func (c *Client) StartWith(ctx context.Context, req api.StartRequest, files []File, idempotencyKey string) (*api.Started, error) {
	if len(files) == 0 {
		return c.Start(ctx, req, idempotencyKey)
	}
	return c.start(ctx, "/execute/start", form{req, files}, idempotencyKey)
}

// form is a body of multipart/form-data.
type form struct {
	request api.StartRequest
	files   []File
}

// FileError is that of a file here, which no second try mends.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("read %s: %v", e.Path, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

// sending is a form on its way.
type sending struct {
	contentType string
	body        *io.PipeReader
	done        chan error
}

// send writes the form while the body is read. The caller must call end.
func (f form) send() *sending {
	r, w := io.Pipe()
	m := multipart.NewWriter(w)
	s := &sending{m.FormDataContentType(), r, make(chan error, 1)}
	go func() {
		err := f.write(m)
		_ = w.CloseWithError(err) // never fails
		s.done <- err
	}()
	return s
}

// end waits until nothing more is read of the files. Its error, if any, is theirs.
func (s *sending) end() error {
	_ = s.body.Close() // never fails
	err := <-s.done
	if errors.As(err, new(*FileError)) {
		return err
	}
	return nil
}

func (f form) write(m *multipart.Writer) error {
	part, err := m.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="request"`}, "Content-Type": {"application/json"},
	})
	if err == nil {
		err = json.NewEncoder(part).Encode(f.request)
	}
	if err != nil {
		return err
	}
	for _, file := range f.files {
		if err := file.write(m); err != nil {
			return err
		}
	}
	return m.Close()
}

func (f File) write(m *multipart.Writer) error {
	in, err := f.Open()
	if err != nil {
		return &FileError{f.Path, err}
	}
	defer func() { _ = in.Close() }() // it was only read
	part, err := m.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {mime.FormatMediaType("form-data", map[string]string{"name": "files", "filename": f.Path})},
		"Content-Type":        {"application/octet-stream"},
	})
	if err != nil {
		return err
	}
	src := &source{r: in}
	if _, err := io.Copy(part, src); src.err != nil {
		return &FileError{f.Path, src.err}
	} else if err != nil {
		return err
	}
	return nil
}

// source tells an error of reading from one of writing.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
