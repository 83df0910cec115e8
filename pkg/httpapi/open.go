package httpapi

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longhaul/longhaul/pkg/execution"
)

// trust stands in for tokens where there are none, which config allows on a
// loopback address only. Every program of this machine may call then, but not
// every web page that its browser shows: a page can send simple requests to
// 127.0.0.1, and by a name of its own that resolves to it even read the answers.
func (s *Server) trust(ctx huma.Context) error {
	if !loopbackName(ctx.Host()) {
		return execution.Errorf(execution.Forbidden, "without %[1]s this server answers to localhost and loopback addresses only: set %[1]s to use it by another name", s.tokenSetting)
	}
	origin := ctx.Header("Origin")
	if u, err := url.Parse(origin); origin != "" && (err != nil || u.Host != ctx.Host()) && !s.allowed(origin) {
		return execution.Errorf(execution.Forbidden, "without %s only the web pages of CORS_ORIGINS may call this server", s.tokenSetting)
	}
	// A link or an image of another page carries no Origin, but this.
	if site := ctx.Header("Sec-Fetch-Site"); origin == "" && (site == "cross-site" || site == "same-site") {
		return execution.Errorf(execution.Forbidden, "without %s other web pages may not call this server", s.tokenSetting)
	}
	return nil
}

// loopbackName knows a Host header of this machine itself.
func loopbackName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}
