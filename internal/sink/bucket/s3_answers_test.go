package bucket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI-not-a-real-one"
)

// cannedStore is an S3 whose every answer after the first is the given one:
// for those that a real server does not give on demand.
func cannedStore(t *testing.T, status int, code, message string) bucket.Store {
	t.Helper()
	var opened atomic.Bool
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		if !opened.Swap(true) {
			return reply(r, http.StatusOK, "<ListBucketResult/>"), nil
		}
		return reply(r, status, fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)), nil
	})
	return openStore(t, "s3://acme/lake?region=eu-central-1&path_style=true", bucket.Options{
		Credentials: &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
		HTTPClient:  &http.Client{Transport: transport},
	})
}

func reply(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"X-Amz-Request-Id": {"REQ42"}, "Content-Type": {"application/xml"}},
		Body:   io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}

func TestAnswersOfS3MeanOneThing(t *testing.T) {
	t.Parallel()
	unless := errors.New("none of the package's own")
	absent := bucket.Condition{IfNoneMatch: true}
	stands := bucket.Condition{IfMatch: `"etag"`}
	for _, c := range []struct {
		status int
		code   string
		cond   bucket.Condition
		want   error
	}{
		{412, "PreconditionFailed", absent, bucket.ErrPrecondition},
		{409, "ConditionalRequestConflict", absent, bucket.ErrConflict},
		{409, "OperationAborted", stands, bucket.ErrConflict},
		{409, "ObjectParentIsFile", absent, unless},
		{404, "NoSuchKey", stands, bucket.ErrPrecondition},
		{404, "XAdminUserNotFound", stands, unless},
		{404, "NoSuchBucket", stands, bucket.ErrDenied},
		{403, "AccessDenied", bucket.Condition{}, bucket.ErrDenied},
		{403, "SignatureDoesNotMatch", absent, bucket.ErrDenied},
		{400, "ExpiredToken", absent, bucket.ErrDenied},
		{501, "NotImplemented", absent, bucket.ErrUnsupported},
		{400, "InvalidArgument", absent, bucket.ErrUnsupported},
		{400, "InvalidRequest", stands, bucket.ErrUnsupported},
		{400, "BadRequest", absent, bucket.ErrUnsupported},
		{400, "InvalidArgument", bucket.Condition{}, unless},
		{400, "BadDigest", absent, unless},
	} {
		t.Run(fmt.Sprintf("%d %s %+v", c.status, c.code, c.cond), func(t *testing.T) {
			t.Parallel()
			s := cannedStore(t, c.status, c.code, "It is so.")
			_, err := s.Put(t.Context(), "a/b", []byte("x"), c.cond)
			if err == nil {
				t.Fatal("Put succeeded")
			}
			for _, kind := range []error{
				bucket.ErrNotExist, bucket.ErrPrecondition, bucket.ErrConflict,
				bucket.ErrNoUpload, bucket.ErrDenied, bucket.ErrUnsupported,
			} {
				if errors.Is(err, kind) != (kind == c.want) { //nolint:errorlint // identity is the point
					t.Errorf("Put = %v, want %v", err, c.want)
				}
			}
			for _, part := range []string{"put a/b: ", "It is so.", c.code, "REQ42"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("Put = %v, want %q in it", err, part)
				}
			}
		})
	}
}

// What a repetition may change is none of them, nor what may be the fault of the
// request or the credentials.
func TestRefusedCompletionsThatNoRepetitionChangesAreBadUploads(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"InvalidPart": true, "InvalidPartOrder": true, "EntityTooSmall": true, "MalformedXML": true,
		"InternalError": false, "SlowDown": false, "RequestTimeout": false, "InvalidRequest": false, "AccessDenied": false, "NoSuchUpload": false,
		"BadDigest": false, "": false,
	} {
		s := cannedStore(t, http.StatusBadRequest, code, "It is so.")
		up := bucket.Upload{Key: "a/b", ID: "id", Token: "token"}
		err := s.CompleteUpload(t.Context(), up, []bucket.Part{{Number: 1, ETag: `"e"`, Size: 3}})
		if err == nil || errors.Is(err, bucket.ErrBadUpload) != want {
			t.Errorf("%q: %v; a bad upload: want %v", code, err, want)
		}
	}
}

func TestAStoreThatFindsNoUploadsToListCannotListThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", bucket.ErrUnsupported},
		{404, "NotFound", bucket.ErrUnsupported},
		{405, "MethodNotAllowed", bucket.ErrUnsupported},
		{501, "NotImplemented", bucket.ErrUnsupported},
		{404, "NoSuchBucket", bucket.ErrDenied},
		{403, "AccessDenied", bucket.ErrDenied},
	} {
		found, err := cannedStore(t, c.status, c.code, "It is so.").PendingUploads(t.Context(), "a/b")
		if !errors.Is(err, c.want) || errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("%d %s: %v, %v; want %v", c.status, c.code, found, err, c.want)
		}
	}
}

func TestErrorsTellNoSecrets(t *testing.T) {
	t.Parallel()
	s := cannedStore(t, 403, "AccessDenied", "Key "+accessKey+" &amp;X-Amz-Signature=0a1b2c, Credential="+accessKey+"/eu\n\n"+strings.Repeat("long ", 200))
	_, err := s.Stat(t.Context(), "k")
	if _, err2 := s.CreateUpload(t.Context(), "k"); err == nil || err2 == nil {
		t.Fatal("a 403 passed for success")
	}
	_, err = s.CreateUpload(t.Context(), "k")
	for _, secret := range []string{accessKey, "0a1b2c", "\n"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q in: %v", secret, err)
		}
	}
	if len(err.Error()) > 500 {
		t.Errorf("%d bytes of error: %v", len(err.Error()), err)
	}
	c := bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: secretKey}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c); strings.Contains(text, accessKey) || strings.Contains(text, secretKey) {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestRequestsCarryEncryptionOwnerAndChecksum(t *testing.T) {
	t.Parallel()
	var seen []*http.Request
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r)
		return reply(r, http.StatusOK, "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"), nil
	})
	s := openStore(t, "s3://acme?region=eu-central-1", bucket.Options{
		SSE: "aws:kms", KMSKeyID: "alias/lake", ExpectedBucketOwner: "123456789012",
		Credentials: &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
		HTTPClient:  &http.Client{Transport: transport},
	})
	ctx := t.Context()
	_, _ = s.Put(ctx, "k", []byte("123456789"), bucket.Condition{IfNoneMatch: true})
	up, err := s.CreateUpload(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.UploadPart(ctx, up, 1, []byte("123456789"))
	_, _ = s.PendingUploads(ctx, "k")
	_ = s.AbortUpload(ctx, up)
	_ = s.Delete(ctx, "k")
	_, _ = s.Stat(ctx, "k")
	_, _, _ = s.Get(ctx, "k")
	for _, err := range s.List(ctx, "", "") {
		_ = err
	}
	if len(seen) != 10 {
		t.Errorf("%d requests, want 10", len(seen))
	}
	for _, r := range seen {
		what := r.Method + " " + r.URL.RequestURI()
		if got := r.Header.Get("X-Amz-Expected-Bucket-Owner"); got != "123456789012" {
			t.Errorf("%s: owner %q", what, got)
		}
		creates := r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") || r.Method == http.MethodPost
		if got := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); creates != (got == "alias/lake") {
			t.Errorf("%s: key %q", what, got)
		}
		// CRC-32's own check value, in the header and not in a trailer.
		if got := r.Header.Get("X-Amz-Checksum-Crc32"); r.Method == http.MethodPut && got != "y/Q5Jg==" {
			t.Errorf("%s: checksum %q", what, got)
		}
	}
}

func TestOpeningS3InAnotherRegionNamesIt(t *testing.T) {
	t.Parallel()
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		response := reply(r, http.StatusMovedPermanently, "<Error><Code>PermanentRedirect</Code></Error>")
		response.Header.Set("X-Amz-Bucket-Region", "eu-west-1")
		return response, nil
	})
	_, err := bucket.Open(t.Context(), "s3://acme?region=us-east-1", bucket.Options{
		Credentials: &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
		HTTPClient:  &http.Client{Transport: transport},
	})
	if !errors.Is(err, bucket.ErrDenied) || !strings.Contains(err.Error(), "set region=eu-west-1") {
		t.Errorf("Open = %v, want the right region", err)
	}
}
