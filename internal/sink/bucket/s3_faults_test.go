package bucket_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// faulty is a real server's store with one planned fault on the way, and a
// check that it happened.
func faulty(t *testing.T, server *s3test.Server, hits func(*http.Request) bool, fault func(*http.Response) (*http.Response, error)) bucket.Store {
	t.Helper()
	var happened atomic.Bool
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	opts := server.Options()
	opts.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := transport.RoundTrip(r)
		if err != nil || !hits(r) || !happened.CompareAndSwap(false, true) {
			return response, err
		}
		return fault(response)
	})}
	t.Cleanup(func() {
		if !happened.Load() {
			t.Error("the planned fault did not happen")
		}
	})
	return openStore(t, server.NewBucket(t), opts)
}

// lose drops an answer: the request was carried out, and nobody knows.
func lose(response *http.Response) (*http.Response, error) {
	return nil, errors.Join(io.ErrUnexpectedEOF, response.Body.Close())
}

// cut breaks an answer off in its body.
func cut(response *http.Response) (*http.Response, error) {
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(response.Body, 3), broken{}), response.Body}
	return response, nil
}

// conflict is what is answered in place of response where another write is under way.
func conflict(response *http.Response) (*http.Response, error) {
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	response.StatusCode, response.Header = http.StatusConflict, http.Header{"Content-Type": {"application/xml"}}
	response.Body = io.NopCloser(strings.NewReader("<Error><Code>OperationAborted</Code><Message>busy</Message></Error>"))
	response.ContentLength = -1
	return response, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func TestS3SurvivesFaults(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	object := func(method string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Method == method && strings.HasSuffix(r.URL.Path, "/k") && !r.URL.Query().Has("uploads")
		}
	}

	t.Run("a lost answer to a conditional put may look like another's win", func(t *testing.T) {
		t.Parallel()
		s := faulty(t, server, object(http.MethodPut), lose)
		_, err := s.Put(t.Context(), "k", []byte("mine"), bucket.Condition{IfNoneMatch: true})
		if !errors.Is(err, bucket.ErrPrecondition) {
			t.Fatalf("Put = %v, want ErrPrecondition", err)
		}
		if body, _, err := s.Get(t.Context(), "k"); err != nil || string(body) != "mine" {
			t.Errorf("Get = %q, %v, want what was put", body, err)
		}
	})

	for name, hits := range map[string]func(*http.Request) bool{
		"beginning an upload": func(r *http.Request) bool { return r.URL.Query().Has("uploads") && r.Method == http.MethodPost },
		"a part":              func(r *http.Request) bool { return r.URL.Query().Has("partNumber") },
	} {
		t.Run("a conflict at "+name+" is repeated", func(t *testing.T) {
			t.Parallel()
			s := faulty(t, server, hits, conflict)
			up, err := s.CreateUpload(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.UploadPart(t.Context(), up, 1, []byte("mine")); err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("a lost answer to a completion is settled", func(t *testing.T) {
		t.Parallel()
		s := faulty(t, server, object(http.MethodPost), lose)
		up, err := s.CreateUpload(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		part, err := s.UploadPart(t.Context(), up, 1, []byte("mine"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CompleteUpload(t.Context(), up, []bucket.Part{part}); err != nil {
			t.Fatalf("CompleteUpload = %v", err)
		}
		info, err := s.Stat(t.Context(), "k")
		if err != nil || info.Metadata["syncer-upload"] != up.Token {
			t.Errorf("Stat = %+v, %v, want the upload's token", info, err)
		}
	})

	t.Run("a body that breaks off is read again", func(t *testing.T) {
		t.Parallel()
		s := faulty(t, server, object(http.MethodGet), cut)
		if _, err := s.Put(t.Context(), "k", []byte("a whole body"), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		if body, _, err := s.Get(t.Context(), "k"); err != nil || string(body) != "a whole body" {
			t.Errorf("Get = %q, %v", body, err)
		}
	})

	t.Run("a range that breaks off is read again", func(t *testing.T) {
		t.Parallel()
		s := faulty(t, server, object(http.MethodGet), cut)
		if _, err := s.Put(t.Context(), "k", []byte("a whole body"), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := r.ReadAt(got, 2); err != nil || string(got) != "whole" {
			t.Errorf("ReadAt = %q, %v", got, err)
		}
	})
}

func TestOpeningS3SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	_, query, _ := strings.Cut(server.URL, "?")
	wrong := &bucket.Credentials{AccessKeyID: server.Credentials.AccessKeyID, SecretAccessKey: "not-the-secret"}
	unknown := &bucket.Credentials{AccessKeyID: "nobody", SecretAccessKey: "not-the-secret"}
	for name, c := range map[string]struct {
		url  string
		opts bucket.Options
		want []string
		kind error
	}{
		"no such bucket":   {"s3://acme-lake?" + query, server.Options(), []string{"open bucket acme-lake", "no such bucket"}, bucket.ErrDenied},
		"wrong secret":     {server.URL, bucket.Options{Credentials: wrong}, []string{"access denied", "check the credentials"}, bucket.ErrDenied},
		"wrong key":        {server.URL, bucket.Options{Credentials: unknown}, []string{"access key", "check the credentials"}, bucket.ErrDenied},
		"nobody listening": {"s3://acme?region=x&endpoint=http://127.0.0.1:1", server.Options(), []string{"cannot reach", "connection refused", "check region and endpoint"}, nil},
		"no region":        {"s3://acme", server.Options(), []string{"region="}, nil},
		"wrong sse":        {server.URL, bucket.Options{SSE: "rot13"}, []string{"rot13", "AES256 or aws:kms"}, nil},
		"key without kms":  {server.URL, bucket.Options{SSE: "AES256", KMSKeyID: "k"}, []string{"needs sse aws:kms"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := bucket.Open(t.Context(), c.url, c.opts)
			if err == nil {
				t.Fatal("Open succeeded")
			}
			for _, want := range c.want {
				if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) { // some words are the server's
					t.Errorf("Open = %v, want %q in it", err, want)
				}
			}
			if c.kind != nil && !errors.Is(err, c.kind) {
				t.Errorf("Open = %v, want %v", err, c.kind)
			}
			for _, not := range []string{"\n", "not-the-secret", server.Credentials.AccessKeyID, server.Credentials.SecretAccessKey} {
				if strings.Contains(err.Error(), not) {
					t.Errorf("Open = %v, with %q in it", err, not)
				}
			}
		})
	}
}

func TestS3WithoutCredentialsSaysSo(t *testing.T) { //nolint:paralleltest // it sets the environment
	for key, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
	} {
		t.Setenv(key, value)
	}
	_, err := bucket.Open(t.Context(), "s3://acme?region=eu-central-1", bucket.Options{})
	if !errors.Is(err, bucket.ErrDenied) || !strings.Contains(err.Error(), "set AWS_ACCESS_KEY_ID") {
		t.Errorf("Open = %v, want how to give credentials", err)
	}
}

func TestOpeningS3EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := bucket.Open(ctx, "s3://acme?region=x&endpoint=http://127.0.0.1:1", bucket.Options{
		Credentials: &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
}
