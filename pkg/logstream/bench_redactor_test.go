package logstream

import (
	"bytes"
	"fmt"
	"testing"
)

// logText is n bytes of what services print: 100-byte lines without a secret.
func logText(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "2026-11-21T10:%02d:%02d.%03dZ INFO  worker task=%06d fetched /api/items?page=%04d in %3d ms, ok, cache hit\n",
			i/60%60, i%60, i*7%1000, i, i%9999, i%250)
	}
	return b.Bytes()[:n]
}

func someSecrets(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("S%dcr3t-%x/+value", i*7919, i*2654435761))
	}
	return list
}

func BenchmarkRedactor(b *testing.B) {
	text := logText(64 << 10)
	b.Run("copy", func(b *testing.B) { // the limit: what any stream has to do
		b.SetBytes(int64(len(text)))
		buf := make([]byte, len(text))
		for b.Loop() {
			copy(buf, text)
		}
	})
	for _, n := range []int{0, 1, 10, 100} {
		b.Run(fmt.Sprintf("secrets=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			s := NewRedactor(someSecrets(n)).Stream()
			for b.Loop() {
				s.Write(text)
			}
		})
	}
	b.Run("hits", func(b *testing.B) {
		secrets := someSecrets(10)
		dense := bytes.ReplaceAll(text, []byte("cache hit"), []byte(secrets[3]))
		b.SetBytes(int64(len(dense)))
		b.ReportAllocs()
		s := NewRedactor(secrets).Stream()
		for b.Loop() {
			s.Write(dense)
		}
	})
	b.Run("short writes", func(b *testing.B) {
		b.SetBytes(100)
		b.ReportAllocs()
		s := NewRedactor(someSecrets(10)).Stream()
		for b.Loop() {
			s.Write(text[:100])
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	secrets := someSecrets(20)
	for b.Loop() {
		NewRedactor(secrets)
	}
}
