package artifact

import (
	"path"
	"strings"
	"time"
)

// contentTypes is our own table: the system's differs between the machines of
// API and worker. Text is said to be UTF-8, since that is what engines write.
var contentTypes = map[string]string{
	".txt": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".tsv": "text/tab-separated-values; charset=utf-8",
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".xml": "text/xml; charset=utf-8", ".yaml": "application/yaml", ".yml": "application/yaml",
	".json": "application/json", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip", ".zst": "application/zstd", ".tar": "application/x-tar",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".svg": "image/svg+xml",
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".mp4": "video/mp4", ".webm": "video/webm",
	".parquet": "application/vnd.apache.parquet", ".sqlite": "application/vnd.sqlite3",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

// ContentType goes by the extension alone. What is not known is only bytes:
// guessing from content lets an engine's output become a web page. HTML and SVG
// are named as they are, and can run scripts: serve them sandboxed.
func ContentType(p string) string {
	if t := contentTypes[strings.ToLower(path.Ext(p))]; t != "" {
		return t
	}
	return "application/octet-stream"
}

func describe(p string, size int64, modified time.Time) Info {
	return Info{Path: p, Size: size, ContentType: ContentType(p), ModTime: modified.UTC()}
}
