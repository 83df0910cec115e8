package config

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
)

// Print writes every setting of the role with its value, its source and what
// it is for: the answer to --print-config. Secrets are shown as ***.
func (c *Config) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tSOURCE\tMEANING")
	for _, v := range c.values {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v.setting.name, v.shown(), v.source, strings.ReplaceAll(v.setting.doc, "`", ""))
	}
	return t.Flush()
}

func (v *value) shown() string {
	switch {
	case v.text == "":
		return "-"
	case v.setting.name == "REDIS_URL":
		return maskURL(v.text)
	case v.setting.secret:
		return "***"
	}
	return v.text
}

var (
	password      = regexp.MustCompile(`^([a-z+-]+://[^:/?]*):.*@`) // to the last @: an unescaped one may be part of it
	passwordQuery = regexp.MustCompile(`([?&][^=&]*pass[^=&]*=)[^&]*`)
)

// maskURL hides the passwords of a Redis URL and leaves the rest to be read.
func maskURL(s string) string {
	return passwordQuery.ReplaceAllString(password.ReplaceAllString(s, "$1:***@"), "$1***")
}
