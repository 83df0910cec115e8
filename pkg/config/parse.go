package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
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

func host(set func(*Config, string)) func(*Config, string) error {
	return func(c *Config, s string) error {
		s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
		if _, err := netip.ParseAddr(s); err != nil && !hostName.MatchString(s) {
			return errors.New("must be an address or a host name without a port")
		}
		set(c, s)
		return nil
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// loopback reports whether only this machine can reach host.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func origins(c *Config, s string) error {
	for _, o := range list(s) {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			return errors.New("must be origins, which are a scheme and a host without a path or a slash at the end")
		}
		c.CORSOrigins = append(c.CORSOrigins, o)
	}
	return nil
}

var redisForm = regexp.MustCompile(`^(redis[a-z+-]*|unix)://.`)

// redisURL leaves the parts to the package that connects: forms with several
// hosts are no URLs to net/url.
func redisURL(c *Config, s string) error {
	if !redisForm.MatchString(s) || strings.ContainsAny(s, " \n\r\t") {
		return errors.New("must be a URL that starts with redis:// or rediss://")
	}
	c.RedisURL = s
	return nil
}

func queues(c *Config, s string) error {
	for _, q := range list(s) {
		if !slices.Contains(execution.Queues, q) {
			return errors.New("must be a list of " + strings.Join(execution.Queues, ", "))
		}
		if !slices.Contains(c.Queues, q) {
			c.Queues = append(c.Queues, q)
		}
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func workerName(c *Config, s string) error {
	if !nameForm.MatchString(s) {
		return errors.New("must be 1 to 100 letters, digits, '.', '_' or '-', starting with a letter or digit")
	}
	c.WorkerName = s
	return nil
}

func artifactsURL(c *Config, s string) error {
	if !strings.HasPrefix(s, "file:///") && !strings.HasPrefix(s, "s3://") {
		return errors.New("must start with file:/// or s3://")
	}
	c.Artifacts.URL = s
	return nil
}

func streamTokenSecret(c *Config, s string) error {
	if len(s) < minSecret {
		return fmt.Errorf("must have at least %d characters", minSecret)
	}
	c.StreamTokenSecret = []byte(s)
	return nil
}

// minSecret: 16 random characters of base 64 are 96 bits, beyond guessing.
const minSecret = 16

func webhookSecret(c *Config, s string) error {
	for _, one := range list(s) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "whsec_"))
		if err != nil || len(key) < 24 || len(key) > 64 {
			return errors.New("must be whsec_ and the base64 of 24 to 64 random bytes, as `echo whsec_$(openssl rand -base64 32)` prints it")
		}
	}
	c.WebhookSecret = strings.Join(list(s), " ")
	return nil
}

func networks(c *Config, s string) error {
	for _, one := range list(s) {
		p, err := netip.ParsePrefix(one)
		if err != nil {
			return errors.New("must be networks such as 10.0.0.0/8 or fd12::/16")
		}
		c.WebhookAllowNetworks = append(c.WebhookAllowNetworks, p.Masked())
	}
	return nil
}
