package logstream

import "encoding/json"

type Redactor struct{}

func NewRedactor(secrets []string) *Redactor                     { return &Redactor{} }
func (r *Redactor) Add(value string) bool                        { return true }
func (r *Redactor) Redact(b []byte) []byte                       { return b }
func (r *Redactor) RedactString(s string) string                 { return s }
func (r *Redactor) RedactJSON(b json.RawMessage) json.RawMessage { return b }
func (r *Redactor) Stream() *Stream                              { return &Stream{} }

type Stream struct{}

func (s *Stream) Write(p []byte) []byte { return p }
func (s *Stream) Flush() []byte         { return nil }
func (s *Stream) Close() []byte         { return nil }
func (s *Stream) Held() int             { return 0 }
