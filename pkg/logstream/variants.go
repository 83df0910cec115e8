package logstream

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	minLine   = 8 // characters of a line that is a secret of its own
	minBase64 = 8 // characters of a core: shorter ones occur by chance
)

// variants gives the forms in which value may appear in output: as it is, by
// lines, and encoded as programs commonly do before they print.
func variants(value string) []string {
	list := []string{value}
	list = append(list, jsonForms(value)...)
	list = append(list, urlForms(value)...)
	list = append(list, base64Forms(value)...)
	if strings.Contains(value, "\n") {
		for line := range strings.Lines(value) {
			line = strings.TrimSpace(line)
			if utf8.RuneCountInString(line) >= minLine {
				list = append(append(list, line), jsonForms(line)...)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// jsonForms gives value inside a JSON string: as JavaScript writes it, with
// HTML escaped as Go does, and in ASCII as Python does.
func jsonForms(value string) []string {
	plain := inner(quote(value))
	html, _ := json.Marshal(value) // a string cannot fail
	var ascii strings.Builder
	for _, c := range plain {
		switch {
		case c < utf8.RuneSelf:
			ascii.WriteRune(c)
		case c > 0xFFFF:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(&ascii, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&ascii, `\u%04x`, c)
		}
	}
	return []string{plain, inner(html), ascii.String()}
}

func inner(quoted []byte) string {
	return string(quoted[1 : len(quoted)-1])
}

// urlForms gives value in a query and in a path, with a space as + and as %20.
func urlForms(value string) []string {
	query := url.QueryEscape(value)
	percent := strings.ReplaceAll(query, "+", "%20")
	component := strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(percent)
	return []string{query, percent, component, url.PathEscape(value), strings.ReplaceAll(percent, "%2F", "/")}
}

// base64Forms gives what stays the same of value's base64 wherever value lies
// in the encoded text: its characters at each of the three alignments, without
// those that also depend on its neighbours; and the encoding of value alone.
func base64Forms(value string) []string {
	var list []string
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		list = append(list, enc.EncodeToString([]byte(value)))
		for shift := range 3 {
			padded := append(make([]byte, shift), value...)
			text := enc.WithPadding(base64.NoPadding).EncodeToString(padded)
			from := (shift*8 + 5) / 6          // the first character without a bit of the neighbour before
			to := (shift + len(value)) * 8 / 6 // behind the last one without a bit of the one after
			if to-from >= minBase64 {
				list = append(list, text[from:to])
			}
		}
	}
	return list
}
