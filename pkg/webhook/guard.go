package webhook

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"github.com/longhaul/longhaul/pkg/execution"
)

// guardian knows which addresses a webhook may reach: public ones, and those
// that the setting allows.
func guardian(allow []netip.Prefix) *ssrf.Guardian {
	var v4, v6 []netip.Prefix
	for _, p := range allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
}

// guarded checks the address at the moment of connecting, after names were
// resolved: a name that changes its address between check and use gains
// nothing. It goes through no proxy, which would hide the address.
func guarded(allow []netip.Prefix) *http.Transport {
	d := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Control: guardian(allow).Safe}
	return &http.Transport{
		DialContext: d.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 32, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
	}
}

// maxURL is what servers and proxies commonly take.
const maxURL = 2048

// Check says whether rawURL may be a webhook_url. It resolves no name: that is
// for the moment of sending. The error is an *execution.Error of code Invalid.
func Check(rawURL string, allow []netip.Prefix) error {
	u, err := url.Parse(rawURL)
	problem := ""
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		problem = "must be a URL that starts with https:// or http://"
	case len(rawURL) > maxURL:
		problem = "must be at most 2048 bytes"
	case u.User != nil:
		problem = "must not hold a user or password: receivers check the signature instead"
	case u.Hostname() == "" || u.Fragment != "":
		problem = "must have a host and no fragment"
	case private(u.Hostname(), allow):
		problem = "must not point into a private network (the setting WEBHOOK_ALLOW_NETWORKS allows some)"
	}
	if problem != "" {
		return execution.InvalidField("webhook_url", problem)
	}
	return nil
}

func private(host string, allow []netip.Prefix) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && guardian(allow).SafeAddr(ip) != nil
}
