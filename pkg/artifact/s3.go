package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/longhaul/longhaul/pkg/execution"
)

// bucket keeps files as <prefix>/<id>/<path> in a bucket of anything that
// speaks S3.
type bucket struct {
	client *minio.Client
	name   string
	prefix string // "" or with a slash at its end
}

// partSize bounds the memory of an upload of unknown size: minio-go's own
// choice for those is half a gigabyte. S3 takes 10,000 parts, so 160 GB fit.
const partSize = 16 << 20

func openS3(u *url.URL, o Options) (*bucket, error) {
	style := ""
	for key, values := range u.Query() {
		switch key {
		case "endpoint":
			o.Endpoint = values[0]
		case "region":
			o.Region = values[0]
		case "style":
			style = values[0]
		default:
			return nil, fmt.Errorf("ARTIFACTS_URL has the parameter %q; there are endpoint, region and style", key)
		}
	}
	if u.Host != "" {
		o.Bucket = u.Host
	}
	if o.Bucket == "" {
		return nil, errors.New("ARTIFACTS_URL names no bucket: write s3://bucket/prefix, or set BUCKET")
	}
	if o.AccessKeyID == "" || o.SecretAccessKey == "" {
		return nil, errors.New("ARTIFACTS_URL is a bucket, which needs ARTIFACTS_ACCESS_KEY_ID and ARTIFACTS_SECRET_ACCESS_KEY (or ACCESS_KEY_ID and SECRET_ACCESS_KEY, or the AWS_ names)")
	}
	host, secure, err := endpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	lookup, err := lookupStyle(style, host)
	if err != nil {
		return nil, err
	}
	if o.Region == "" {
		o.Region = "us-east-1" // saves asking the endpoint; those that have no regions take any
	}
	client, err := minio.New(host, &minio.Options{
		Creds:  credentials.NewStaticV4(o.AccessKeyID, o.SecretAccessKey, o.SessionToken),
		Secure: secure, Region: o.Region, BucketLookup: lookup,
	})
	if err != nil {
		return nil, fmt.Errorf("ARTIFACTS_URL: %w", err)
	}
	b := &bucket{client: client, name: o.Bucket}
	if p := strings.Trim(u.Path, "/"); p != "" {
		if err := CleanPath(p); err != nil || len(p) > 80 {
			return nil, errors.New("ARTIFACTS_URL has a prefix that is not a clean path of at most 80 bytes")
		}
		b.prefix = p + "/"
	}
	if o.Area != "" {
		b.prefix += o.Area + "/"
	}
	return b, nil
}

func endpoint(raw string) (host string, secure bool, err error) {
	if raw == "" {
		return "s3.amazonaws.com", true, nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return "", false, errors.New("the endpoint of ARTIFACTS_URL must look like https://host or http://host:port")
	}
	return u.Host, u.Scheme == "https", nil
}

// lookupStyle: Railway's buckets want the bucket in the host name; for other
// hosts minio-go knows Amazon's and Google's, and the rest take it in the path.
func lookupStyle(style, host string) (minio.BucketLookupType, error) {
	switch {
	case style == "virtual", style == "" && (strings.HasSuffix(host, ".storageapi.dev") || host == "storage.railway.app"):
		return minio.BucketLookupDNS, nil
	case style == "path":
		return minio.BucketLookupPath, nil
	case style == "":
		return minio.BucketLookupAuto, nil
	}
	return 0, errors.New("the style of ARTIFACTS_URL must be virtual (bucket in the host name) or path")
}

func (b *bucket) folder(id execution.ID) string { return b.prefix + string(id) + "/" }

func (b *bucket) Put(ctx context.Context, id execution.ID, p string, r io.Reader, size int64, contentType string) error {
	if err := check(id, p); err != nil {
		return err
	}
	if size < 0 {
		size = -1
	}
	if 0 <= size && size <= partSize {
		// In memory it can be sent again after a failure, and a reader that
		// breaks off is noticed before anything is sent.
		data := make([]byte, size)
		if _, err := io.ReadFull(contextReader{ctx, r}, data); err != nil {
			return fmt.Errorf("keep artifact: %w", err)
		}
		r = bytes.NewReader(data)
	}
	_, err := b.client.PutObject(ctx, b.name, b.folder(id)+p, r, size, minio.PutObjectOptions{
		ContentType: contentType, PartSize: partSize,
		// MD5 is the one checksum that everything that speaks S3 knows; the
		// newer ones and signed chunks are refused or garbled by some.
		SendContentMd5: true, DisableContentSha256: true,
	})
	if err != nil {
		return fmt.Errorf("keep artifact: %w", err)
	}
	return nil
}

func (b *bucket) List(ctx context.Context, id execution.ID) ([]Info, error) {
	if _, err := execution.ParseID(string(id)); err != nil {
		return nil, err
	}
	var list []Info
	for o, err := range b.objects(ctx, id) {
		if err != nil {
			return nil, fmt.Errorf("list artifacts: %w", err)
		}
		p := strings.TrimPrefix(o.Key, b.folder(id))
		if CleanPath(p) != nil {
			continue // not ours: some tools keep an empty object "folder/"
		}
		list = append(list, describe(p, o.Size, o.LastModified))
	}
	slices.SortFunc(list, func(a, b Info) int { return strings.Compare(a.Path, b.Path) })
	return list, nil
}

// objects lists an execution's objects, all pages.
func (b *bucket) objects(ctx context.Context, id execution.ID) func(yield func(minio.ObjectInfo, error) bool) {
	return func(yield func(minio.ObjectInfo, error) bool) {
		ctx, cancel := context.WithCancel(ctx) // ends the lister when we stop early
		defer cancel()
		for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.folder(id), Recursive: true}) {
			if !yield(o, o.Err) || o.Err != nil {
				return
			}
		}
	}
}

func (b *bucket) Open(ctx context.Context, id execution.ID, p string) (Object, error) {
	if err := check(id, p); err != nil {
		return nil, err
	}
	o, err := b.client.GetObject(ctx, b.name, b.folder(id)+p, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("open artifact: %w", err)
	}
	stat, err := o.Stat() // GetObject itself asks nothing yet
	if err != nil {
		_ = o.Close()
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
			return nil, notFound(err)
		}
		return nil, fmt.Errorf("open artifact: %w", err)
	}
	return &bucketObject{o, describe(p, stat.Size, stat.LastModified)}, nil
}

func (b *bucket) Delete(ctx context.Context, id execution.ID) error {
	if _, err := execution.ParseID(string(id)); err != nil {
		return err
	}
	var failed []error
	for o, err := range b.objects(ctx, id) {
		if err != nil {
			return fmt.Errorf("delete artifacts: %w", err)
		}
		// One by one: not everything that speaks S3 knows the bulk form.
		if err := b.client.RemoveObject(ctx, b.name, o.Key, minio.RemoveObjectOptions{}); err != nil {
			failed = append(failed, fmt.Errorf("delete artifact %s: %w", path.Base(o.Key), err))
		}
	}
	return errors.Join(failed...)
}

func (b *bucket) Check(ctx context.Context) error {
	ok, err := b.client.BucketExists(ctx, b.name)
	if err != nil {
		return fmt.Errorf("reach the bucket of ARTIFACTS_URL: %w", err)
	}
	if !ok {
		return fmt.Errorf("the bucket %s of ARTIFACTS_URL does not exist at that endpoint", b.name)
	}
	return nil
}

type bucketObject struct {
	*minio.Object
	info Info
}

func (o *bucketObject) Info() Info { return o.info }
