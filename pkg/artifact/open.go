package artifact

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// Options are what an S3 store needs besides its URL. What the URL says wins.
type Options struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // of temporary credentials
	Endpoint        string // https://host[:port]; "" is Amazon's
	Region          string
	Bucket          string // for a URL without one, s3:///prefix
	Area            string // a folder below the URL, for a store apart from the others; "" is the URL's own
	Sync            bool   // what is put into a folder must survive a power cut: the caller deletes its own copy
}

// Open makes the store that ARTIFACTS_URL names. It does no network I/O: see Check.
//
//	""                              nothing is kept
//	file:///var/lib/longhaul        a folder, made when missing
//	s3://bucket/prefix?endpoint=https://host&region=auto&style=virtual
func Open(rawURL string, o Options) (Store, error) {
	if rawURL == "" {
		return none{}, nil
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("ARTIFACTS_URL is not a URL: it looks like file:///var/lib/longhaul/outputs or s3://bucket/prefix") // err would repeat a password in it
	}
	if u.User != nil {
		return nil, errors.New("ARTIFACTS_URL must not hold credentials: set ARTIFACTS_ACCESS_KEY_ID and ARTIFACTS_SECRET_ACCESS_KEY")
	}
	switch u.Scheme {
	case "file":
		if (u.Host != "" && u.Host != "localhost") || !filepath.IsAbs(u.Path) || u.RawQuery != "" {
			return nil, errors.New("ARTIFACTS_URL of a folder has three slashes and an absolute path, such as file:///var/lib/longhaul/outputs")
		}
		return openFolder(filepath.Join(u.Path, o.Area), o.Sync)
	case "s3":
		return openS3(u, o)
	}
	return nil, fmt.Errorf("ARTIFACTS_URL has the scheme %q; there are file:///folder and s3://bucket/prefix", u.Scheme)
}
