package bucket

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"

	"finoos-syncer/internal/trouble"
)

// Options are what a store needs to know beside its URL.
type Options struct {
	// Pending is the key prefix below which a folder keeps pending uploads and
	// its other private files, for instance "_syncer/nightly/pending". All
	// processes that write the same keys must agree on it. Default
	// "_syncer/pending". Not used by S3.
	Pending string
	// SSE is the server-side encryption asked for: "" for the bucket's
	// default, "AES256" or "aws:kms".
	SSE string
	// KMSKeyID is the key for "aws:kms"; "" for the account's default key.
	KMSKeyID string
	// ExpectedBucketOwner is an account id; requests fail where the bucket
	// belongs to another.
	ExpectedBucketOwner string
	// Credentials are static ones; nil takes the default chain (environment,
	// profile, web identity, instance role).
	Credentials *Credentials
	// Roots are who may have signed the store's certificate; nil is whom the system
	// trusts.
	Roots *x509.CertPool
	// HTTPClient replaces the default client.
	HTTPClient *http.Client
	// MostBytes is how large the object at a key may be for Get to read it; nil is
	// MaxGet for all. What it says beyond that does not count.
	MostBytes func(key string) int64
	// Logger is told what is cleaned up; nil discards it.
	Logger *slog.Logger
	// Trouble is told what the store does not serve, or is silent about; nil is not.
	Trouble *trouble.Watch
}

// Credentials are static S3 credentials. They do not print.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

// String keeps credentials out of logs and errors.
func (Credentials) String() string { return "[redacted]" }

// GoString keeps credentials out of %#v.
func (Credentials) GoString() string { return "[redacted]" }

// LogValue keeps credentials out of structured logs.
func (Credentials) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText keeps credentials out of JSON and YAML.
func (Credentials) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// most is how many bytes Get reads at a key.
func (o *Options) most(key string) int64 {
	if o.MostBytes == nil {
		return MaxGet
	}
	return min(MaxGet, o.MostBytes(key))
}

// Open returns the store at a URL, after looking whether it can be reached:
//
//	s3://bucket/prefix?region=eu-central-1&endpoint=http://127.0.0.1:9000&path_style=true
//	file:///var/lib/syncer/lake, file://./lake
//
// A folder is created by the first write.
func Open(ctx context.Context, rawURL string, opts Options) (Store, error) {
	loc, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if loc.folder != "" {
		f, err := openFolder(loc.folder, opts)
		if err != nil || opts.Trouble == nil {
			return f, err
		}
		return watchedFolder{f, opts.Trouble}, nil
	}
	return openS3(ctx, loc, opts)
}
