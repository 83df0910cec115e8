package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Timeouts of one Redis command. go-redis' own (5 s, 3 retries, 5 dials) let a
// request hang for half a minute; ours must know soon that Redis is away. A
// repeated command is safe here, since every script is.
const (
	dialTimeout = 2 * time.Second
	ioTimeout   = 3 * time.Second
	maxRetries  = 1
)

// Dial makes a client; no connection is opened before the first command.
//
//	redis://user:password@host:6379/0      one server; rediss:// with TLS
//	redis+sentinel://host:26379,host2/mymaster/0?username=…&password=…   a password before @ is the sentinels' own
//	redis+cluster://user:password@host:6379,host2:6379
//
// Errors are about the URL and never hold it, since it carries a password.
func Dial(rawURL string) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, fmt.Errorf("the setting REDIS_URL must look like redis://user:password@host:6379/0")
	}
	switch kind, tls := strings.TrimSuffix(scheme, "s"), strings.HasSuffix(scheme, "s"); {
	case scheme == "redis" || scheme == "rediss":
		o, err := redis.ParseURL(rawURL)
		if err != nil {
			return nil, badURL(err)
		}
		tune(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.MaxRetries, &o.DialerRetries, &o.ContextTimeoutEnabled, &o.ClientName)
		o.MaintNotificationsConfig = noMaintenance
		return redis.NewClient(o), nil
	case kind == "redis+sentinel":
		u, err := multiHost(tls, rest, "master_name")
		if err != nil {
			return nil, badURL(err)
		}
		o, err := redis.ParseFailoverURL(u)
		if err != nil {
			return nil, badURL(err)
		}
		tune(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.MaxRetries, &o.DialerRetries, &o.ContextTimeoutEnabled, &o.ClientName)
		o.ReplicaOnly, o.RouteByLatency, o.RouteRandomly = false, false, false // as for a cluster, below
		return redis.NewFailoverClient(o), nil
	case kind == "redis+cluster":
		u, err := multiHost(tls, rest, "")
		if err != nil {
			return nil, badURL(err)
		}
		o, err := redis.ParseClusterURL(u)
		if err != nil {
			return nil, badURL(err)
		}
		tune(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout, &o.MaxRetries, &o.DialerRetries, &o.ContextTimeoutEnabled, &o.ClientName)
		o.MaintNotificationsConfig = noMaintenance
		// Replicas lag, each differently: a log read from them would have holes.
		o.ReadOnly, o.RouteByLatency, o.RouteRandomly = false, false, false
		return redis.NewClusterClient(o), nil
	}
	return nil, fmt.Errorf("the setting REDIS_URL must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://")
}

// tune sets what the three kinds of go-redis' options have in common but no type for.
func tune(dial, read, write *time.Duration, retries, dialRetries *int, contextEndsIO *bool, name *string) {
	*dial, *read, *write = dialTimeout, ioTimeout, ioTimeout
	*retries, *dialRetries = maxRetries, 1
	*contextEndsIO = true // else a context's deadline does not bound a command
	*name = "longhaul"
}

// noMaintenance keeps go-redis from asking each server for push messages that
// only Redis Enterprise sends.
var noMaintenance = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// multiHost turns "user:pw@a:1,b:2/path?query" into the one-host form with
// addr parameters that go-redis reads. The first element of the path becomes
// the parameter named first, if any.
func multiHost(tls bool, rest, first string) (string, error) {
	authority, path, _ := strings.Cut(rest, "/")
	auth, hosts, hasAuth := cutLast(authority, "@")
	if !hasAuth {
		auth, hosts = "", authority
	}
	list := strings.Split(hosts, ",")
	path, query, _ := strings.Cut(path, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return "", err
	}
	for _, h := range list[1:] {
		q.Add("addr", h)
	}
	if first != "" {
		var value string
		value, path, _ = strings.Cut(path, "/")
		q.Set(first, value)
	}
	scheme := "redis"
	if tls {
		scheme = "rediss"
	}
	if auth != "" {
		auth += "@"
	}
	return scheme + "://" + auth + list[0] + "/" + path + "?" + q.Encode(), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// badURL keeps the password out of the message: url.Error quotes its input.
func badURL(err error) error {
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err
	}
	return fmt.Errorf("the setting REDIS_URL cannot be read: %w", err)
}

// quiet silences go-redis' own lines on stderr: what is wrong with Redis is
// told by Advise and by the errors of our calls.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(quiet{}) }
