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
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func host(set func(*Config, string)) func(*Config, string) error {
	return func(c *Config, s string) error {
		s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
		if _, err := netip.ParseAddr(s); err != nil && (len(s) > 253 || !hostName.MatchString(s)) {
			return errors.New("must be an address or a host name without a port")
		}
		set(c, s)
		return nil
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

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

// webAddress is a URL that a path can be put after.
func webAddress(set func(*Config, string)) func(*Config, string) error {
	return func(c *Config, s string) error {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("must be an http or https URL without a password or query")
		}
		set(c, strings.TrimSuffix(s, "/"))
		return nil
	}
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

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`) // of at most 100

func workerName(c *Config, s string) error {
	if len(s) > 100 || !nameForm.MatchString(s) {
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

// metricsInterval takes no interval so short that looking would cost more than what is looked at.
func metricsInterval(c *Config, s string) error {
	d, err := ParseDuration(s)
	if err == nil && d != 0 && (d < time.Second || d > time.Hour) {
		err = errors.New("must be 0, or between 1s and 1h")
	}
	c.MetricsInterval = d
	return err
}
