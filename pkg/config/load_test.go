package config

import (
	"strings"
	"testing"
	"time"
)

// env is a lookup over "NAME=value" lines.
func env(lines ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, l := range lines {
			if k, v, _ := strings.Cut(l, "="); k == name {
				return v, true
			}
		}
		return "", false
	}
}

const token = "API_TOKENS=0123456789abcdef"

func TestDefaultsHoldWhereNothingIsSet(t *testing.T) {
	c, err := Load(env(token), Dev)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 8080 || c.MaxExecution != 2*time.Hour || c.Retention != 7*24*time.Hour || c.DrainTimeout != 25*time.Second || c.MaxConcurrent != 5 {
		t.Errorf("%+v", c)
	}
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	t.Log(b.String())
}
