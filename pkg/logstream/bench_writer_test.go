package logstream

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

type discard struct{}

func (discard) Append(context.Context, execution.Lease, execution.Batch) error { return nil }

// BenchmarkPipeline moves 1 M lines of 100 bytes through a real pipe: once
// bare, which is the limit, then through Pump and Run. Compare the lines/s of one run.
func BenchmarkPipeline(b *testing.B) {
	const lines = 1_000_000
	text := logText(64 << 10)
	text = text[:len(text)/100*100]
	pipeline := func(b *testing.B, read func(r io.Reader)) {
		b.ReportAllocs()
		b.SetBytes(lines * 100)
		for b.Loop() {
			r, engine, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				for left := lines * 100; left > 0; {
					n, err := engine.Write(text[:min(left, len(text))])
					if err != nil {
						b.Error(err)
						break
					}
					left -= n
				}
				_ = engine.Close()
			}()
			read(r)
			_ = r.Close()
		}
		b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
	}
	b.Run("limit", func(b *testing.B) {
		buf := make([]byte, readSize)
		pipeline(b, func(r io.Reader) {
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
		})
	})
	for _, mode := range []struct {
		name     string
		redactor *Redactor
	}{
		{"plain", nil},
		{"tokens", NewRedactor(nil)},
		{"secrets=10", NewRedactor(someSecrets(10))},
		{"secrets=100", NewRedactor(someSecrets(100))},
	} {
		b.Run(mode.name, func(b *testing.B) {
			pipeline(b, func(r io.Reader) {
				w := NewWriter(discard{}, lease, Options{Redactor: mode.redactor})
				done := make(chan error, 1)
				go func() { done <- w.Run(b.Context()) }()
				if err := w.Pump(execution.Stdout, r); err != nil {
					b.Error(err)
				}
				w.Close()
				if err := <-done; err != nil {
					b.Error(err)
				}
			})
		})
	}
}
