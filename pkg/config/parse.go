package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions here read one value each. Their errors go on from the name of
// the setting ("PORT must be …") and do not repeat the value.

// ParseDuration reads "90s", "1h30m", "7d", or a whole number of seconds.
func ParseDuration(s string) (time.Duration, error) {
	days := int64(0)
	if n, rest, ok := strings.Cut(s, "d"); ok {
		whole, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, errDuration
		}
		days, s = int64(whole), rest
		if rest == "" {
			return time.Duration(days) * day, nil
		}
	} else if n, err := strconv.ParseInt(s, 10, 32); err == nil && n >= 0 {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errDuration
	}
	return time.Duration(days)*day + d, nil
}

var errDuration = errors.New("must be a duration such as 90s, 15m, 2h or 7d, or a whole number of seconds")

func duration(least, most time.Duration, set func(*Config, time.Duration)) func(*Config, string) error {
	return func(c *Config, s string) error {
		d, err := ParseDuration(s)
		if err != nil {
			return err
		}
		if d < least || d > most {
			return fmt.Errorf("must be between %s and %s", show(least), show(most))
		}
		set(c, d)
		return nil
	}
}

// show writes a duration as a person would: 7d, 2h, 90s.
func show(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func whole(least, most int64, set func(*Config, int64)) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		set(c, n)
		return nil
	}
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,12}) ?(B|KiB|MiB|GiB|TiB)?$`)

func size(least, most int64, set func(*Config, int64)) func(*Config, string) error {
	shift := map[string]uint{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
	return func(c *Config, s string) error {
		m := sizeForm.FindStringSubmatch(s)
		if m == nil {
			return errors.New("must be a size such as 2MiB or 1GiB, or a whole number of bytes")
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || n > most>>shift[m[2]] || n<<shift[m[2]] < least {
			return fmt.Errorf("must be between %d and %d bytes", least, most)
		}
		set(c, n<<shift[m[2]])
		return nil
	}
}

func text(set func(*Config, string)) func(*Config, string) error {
	return func(c *Config, s string) error { set(c, s); return nil }
}

func oneOf(words []string, set func(*Config, string)) func(*Config, string) error {
	return func(c *Config, s string) error {
		if s = strings.ToLower(s); !slices.Contains(words, s) {
			return errors.New("must be one of " + strings.Join(words, ", "))
		}
		set(c, s)
		return nil
	}
}

// list splits at commas and white space; a line that starts with # is a note.
func list(s string) []string {
	var items []string
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		items = append(items, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })...)
	}
	return items
}
