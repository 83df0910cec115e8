package logstream

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

const key = "s3cr3t/Väl+ue \"q\"<x>"

func TestAValueIsMaskedInEveryFormItIsPrintedIn(t *testing.T) {
	r := NewRedactor([]string{key, "  trimmed-value\n"})
	ascii := `s3cr3t/V\u00e4l+ue \"q\"<x>`
	html, _ := json.Marshal(key)
	for name, text := range map[string]string{
		"itself":         key,
		"JSON":           `s3cr3t/Väl+ue \"q\"<x>`,
		"JSON of Go":     string(html[1 : len(html)-1]),
		"JSON in ASCII":  ascii,
		"query":          url.QueryEscape(key),
		"path":           url.PathEscape(key),
		"base64":         base64.StdEncoding.EncodeToString([]byte(key)),
		"base64 for URL": base64.URLEncoding.EncodeToString([]byte(key)),
		"trimmed":        "trimmed-value",
	} {
		if got := r.RedactString("before " + text + " after"); got != "before *** after" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAValueInsideLongerBase64IsMaskedAtEachAlignment(t *testing.T) {
	r := NewRedactor([]string{"correct-horse-battery"})
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for _, before := range []string{"", "a", "ab", "abc", "user:"} {
			text := enc.EncodeToString([]byte(before + "correct-horse-battery" + "?>?>"))
			got := r.RedactString(text)
			plain, _ := enc.DecodeString(strings.ReplaceAll(got, Mask, ""))
			if !strings.Contains(got, Mask) || strings.Contains(string(plain), "horse") || len(got) > len(text)-20 {
				t.Errorf("%q: %q", before, got)
			}
		}
	}
}

func TestLinesOfAMultiLineValueAreMasked(t *testing.T) {
	r := NewRedactor([]string{"first line here\nshort\r\n  second line here\n"})
	for text, want := range map[string]string{
		"x first line here y":    "x *** y",
		"a\nsecond line here\nb": "a\n***\nb",
		"short":                  "short",
		"first line here\nshort\r\n  second line here":      "***",
		`first line here\nshort\r\n  second line here`:      "***",
		"first line here\r\nshort\r\nsecond line here\r\n.": "***\r\nshort\r\n***\r\n.",
	} {
		if got := r.RedactString(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestOverlappingValuesLeaveNothing(t *testing.T) {
	r := NewRedactor([]string{"abcdefgh", "efghijkl", "abcdefghijklmn"})
	for text, want := range map[string]string{
		"-abcdefghijkl-":         "-***-",
		"-abcdefghijklmn-":       "-***-",
		"-abcdefgh-":             "-***-",
		"abcdefghabcdefgh":       "***",
		"abcdefgh abcdefgh":      "*** ***",
		"-abcdefg-efghijk-":      "-abcdefg-efghijk-",
		"-abcdefghijklm-":        "-***m-",
		"abcdefgefghijklmnopqrs": "abcdefg" + "***mnopqrs",
	} {
		if got := r.RedactString(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestShortValuesAreIgnored(t *testing.T) {
	r := NewRedactor([]string{"", "no", "12345", "äöüäö"})
	for _, s := range []string{"no 12345 äöüäö", "bm8=", ""} {
		if got := r.RedactString(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if r.Add("tiny") {
		t.Error("a short value was taken")
	}
}

var (
	alnum36 = "abcdefghijABCDEFGHIJ0123456789abcdef"
	pemKey  = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEowIBAAKCAQEA7bq0\nabc+/=\n-----END RSA PRIVATE KEY-----"
)

func TestTokensAreMaskedByTheirLooks(t *testing.T) {
	r := NewRedactor(nil)
	for text, want := range map[string]string{
		"key sk-" + alnum36 + ".":                  "key ***.",
		"sk-ant-api03-" + alnum36 + "-_x":          "***",
		`{"k":"a\nsk-` + alnum36 + `"}`:            `{"k":"a\n***"}`,
		"ghp_" + alnum36 + " gho_" + alnum36:       "*** ***",
		"(ghs_" + alnum36 + ")":                    "(***)",
		"github_pat_11ABC_" + alnum36:              "***",
		"xoxb-123456789012-abcdef,":                "***,",
		"id=AKIAIOSFODNN7EXAMPLE;":                 "id=***;",
		"AIza" + alnum36:                           "***",
		"glpat-" + alnum36[:20]:                    "***",
		"hf_" + alnum36[:34]:                       "***",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sIgN_a-t x": "*** x",
		"Authorization: Bearer abcdefghijklmnop==": "Authorization: Bearer ***",
		"redis://:hunter2@cache:6379/0":            "redis://:***@cache:6379/0",
		"postgres://u:p@ss:w@db.local/x":           "postgres://u:***@db.local/x",
		"a\n" + pemKey + "\nb":                     "a\n***\nb",
		strings.ReplaceAll(pemKey, "\n", `\n`):     "***",

		// What only looks like it.
		"task-management-with-a-long-name-2":       "task-management-with-a-long-name-2",
		"sk-toggleable-label-arrow-and-more":       "sk-toggleable-label-arrow-and-more",
		"ghp_short":                                "ghp_short",
		"Bearer of bad news":                       "Bearer of bad news",
		"eyJhbGci.x.y":                             "eyJhbGci.x.y",
		"https://example.com:8080/a@b":             "https://example.com:8080/a@b",
		"https://user@example.com/":                "https://user@example.com/",
		"-----BEGIN CERTIFICATE-----\nMIIEowIBAA+": "-----BEGIN CERTIFICATE-----\nMIIEowIBAA+",
		`"-----BEGIN PRIVATE KEY-----" is missing`: `"-----BEGIN PRIVATE KEY-----" is missing`,
	} {
		if got := r.RedactString(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestRedactedJSONStaysValid(t *testing.T) {
	r := NewRedactor([]string{key, "12345678", `back\slash"quote`})
	for text, want := range map[string]string{
		`{"a":"x"}`:                              `{"a":"x"}`,
		`{"a":12345678,"b":[-1.5e3]}`:            `{"a":"***","b":[-1.5e3]}`,
		`{"a":"back\\slash\"quote"}`:             `{"a":"***"}`,
		`{"a":"back\u005cslash\u0022quote <&>"}`: `{"a":"*** <&>"}`,
		`{"back\\slash\"quote":true}`:            `{"***":true}`,
		`"{\"a\":\"back\\\\slash\\\"quote\"}"`:   `"{\"a\":\"***\"}"`,
		`not json 12345678`:                      `"not json ***"`,
		``:                                       ``,
		`12345678`:                               `"***"`,
		` [ "s3cr3t\/V\u00e4l+ue \"q\"<x>" ] `:   ` [ "***" ] `,
		`{"nested":"{\"k\":\"s3cr3t/V\\u00e4l+ue \\\"q\\\"<x>\"}"}`: `{"nested":"{\"k\":\"***\"}"}`,
	} {
		got := string(r.RedactJSON(json.RawMessage(text)))
		if got != want || got != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestAddTakesEffectAtOnceAndHasLimits(t *testing.T) {
	r := NewRedactor(nil)
	s := r.Stream()
	if got := string(s.Write([]byte("later-secret "))); got != "later-secret " {
		t.Errorf("%q", got)
	}
	for range 2 { // again is no mistake
		if !r.Add("later-secret") {
			t.Fatal("not taken")
		}
	}
	if got := string(s.Write([]byte("later-secret "))); got != "*** " {
		t.Errorf("%q", got)
	}
	if r.Add(strings.Repeat("x", maxAddedBytes+1)) {
		t.Error("a huge value was taken")
	}
}
