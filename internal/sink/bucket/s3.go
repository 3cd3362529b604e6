package bucket

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"finoos-syncer/internal/trouble"
)

const (
	// s3Attempts and s3MaxBackoff bound how long a request is repeated: half a
	// minute of an unhappy S3, then the caller learns of it.
	s3Attempts   = 6
	s3MaxBackoff = 10 * time.Second
	// s3OpenAttempts is fewer: a mistyped endpoint should not take that long.
	s3OpenAttempts = 3
	// s3Timeout bounds one attempt, body included: a connection that stalls
	// without closing must not hold a run.
	s3Timeout     = 5 * time.Minute
	s3DialTimeout = 10 * time.Second
)

// s3Store keeps objects in S3 below a key prefix.
type s3Store struct {
	client *s3.Client
	bucket *string
	prefix string // "" or "a/b/"
	owner  *string
	sse    types.ServerSideEncryption
	kmsKey *string
	most   func(key string) int64 // bytes that Get reads
	// checksums says that writes carry one: the default, and not where
	// AWS_REQUEST_CHECKSUM_CALCULATION, or the profile, wants them left out.
	checksums bool
}

func openS3(ctx context.Context, loc location, opts Options) (*s3Store, error) {
	s := &s3Store{
		bucket: aws.String(loc.bucket),
		prefix: loc.prefix,
		owner:  optional(opts.ExpectedBucketOwner),
		sse:    types.ServerSideEncryption(opts.SSE),
		kmsKey: optional(opts.KMSKeyID),
		most:   opts.most,
	}
	switch {
	case opts.SSE != "" && opts.SSE != "AES256" && opts.SSE != "aws:kms":
		return nil, fmt.Errorf("open bucket %s: sse %q is not AES256 or aws:kms", loc.bucket, opts.SSE)
	case opts.KMSKeyID != "" && opts.SSE != "aws:kms":
		return nil, fmt.Errorf("open bucket %s: a KMS key needs sse aws:kms", loc.bucket)
	}
	cfg, err := s3Config(ctx, loc, opts)
	if err != nil {
		return nil, err
	}
	s.checksums = cfg.RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = loc.pathStyle
		o.BaseEndpoint = optional(loc.endpoint)
		o.HTTPClient = withoutRedirects(cfg.HTTPClient, opts)
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	if loc.inTheClear() {
		opts.Logger.WarnContext(ctx, "the store is spoken to without encryption: whoever is on the way reads what is exported; use https",
			"endpoint", loc.endpoint)
	}
	// Not HeadBucket: its refusals have no body, and so no reason.
	_, err = s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: s.bucket, ExpectedBucketOwner: s.owner, Prefix: optional(s.prefix), MaxKeys: aws.Int32(1),
	}, func(o *s3.Options) { o.RetryMaxAttempts = s3OpenAttempts })
	if err != nil {
		return nil, openError(ctx, loc, cfg.Region, err)
	}
	return s, nil
}

// withoutRedirects is the client that requests go out by. It follows no redirect: a
// request is signed for one host, and goes to no other. The client of opts replaces the
// default.
func withoutRedirects(configured aws.HTTPClient, opts Options) aws.HTTPClient {
	client := http.Client{}
	switch c, buildable := configured.(*awshttp.BuildableClient); {
	case opts.HTTPClient != nil:
		client = *opts.HTTPClient
	case buildable:
		client.Transport, client.Timeout = trouble.Proxied(c.GetTransport()), c.GetTimeout()
	default:
		return configured
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport //nolint:forbidigo // which a client without one has
	}
	client.Transport = &watchedRequests{opts.Trouble, client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// repeatConflicts has a request repeated that met another at the same key. Of
// conditional writes that is the callers' to do: see [Write].
func repeatConflicts(o *s3.Options) {
	o.Retryer = retry.AddWithErrorCodes(o.Retryer, "OperationAborted", "ConditionalRequestConflict")
}

// s3Config gathers region, credentials, transport and retries.
func s3Config(ctx context.Context, loc location, opts Options) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = s3Attempts
				o.MaxBackoff = s3MaxBackoff
				// What some say who let one key be written to once a second.
				o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}})
			})
		}),
		config.WithHTTPClient(awshttp.NewBuildableClient().
			WithTimeout(s3Timeout).
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = s3DialTimeout }).
			WithTransportOptions(func(t *http.Transport) {
				if opts.Roots != nil { // a copy: AWS_CA_BUNDLE adds to it
					t.TLSClientConfig.RootCAs = opts.Roots.Clone()
				}
			})),
	}
	if loc.region != "" {
		load = append(load, config.WithRegion(loc.region))
	}
	if c := opts.Credentials; c != nil {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	}
	doing := "open bucket " + loc.bucket
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, denied("%s: load the AWS configuration: %s", doing, clean(err.Error()))
	}
	if cfg.Region == "" {
		if loc.endpoint == "" {
			return aws.Config{}, fmt.Errorf("%s: no region: add ?region=… to the URL, or set AWS_REGION", doing)
		}
		cfg.Region = "us-east-1" // only signed with; what is not AWS accepts any or this one
	}
	// Asked for now, so that none at all is told apart from refused ones.
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		if ctx.Err() != nil {
			return aws.Config{}, fmt.Errorf("%s: %w", doing, ctx.Err())
		}
		return aws.Config{}, denied("%s: no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role (%s)",
			doing, clean(err.Error()))
	}
	return cfg, nil
}

// String is the store's URL, without the query.
func (s *s3Store) String() string {
	return "s3://" + *s.bucket + "/" + s.prefix
}

// key is the full key of one of ours.
func (s *s3Store) key(key string) *string {
	return aws.String(s.prefix + key)
}

func optional(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// storeTime is the Date header of a response.
func storeTime(metadata middleware.Metadata) time.Time {
	at, _ := awsmiddleware.GetServerTime(metadata)
	return at.UTC()
}
