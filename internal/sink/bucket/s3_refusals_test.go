package bucket_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
)

func keys() *bucket.Credentials {
	return &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
}

// always is a store that gives one answer, to the first request too.
func always(status int, code, message string, headers map[string]string) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		body := ""
		if code != "" {
			body = "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>"
		}
		response := reply(r, status, body)
		for name, value := range headers {
			response.Header.Set(name, value)
		}
		return response, nil
	})}
}

func TestWhatIsNoMatterOfPermissionsSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		code    string
		message string
		headers map[string]string
		says    string
	}{
		"the clock":                     {403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", nil, "the clock of this machine is not the store's: set it"},
		"another region, in a header":   {301, "PermanentRedirect", "", map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}, "set region=eu-west-1 in the URL"},
		"another region, in words":      {400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'", nil, "expecting 'eu-west-1'"},
		"another region, and no word":   {301, "", "", nil, "check region and endpoint in the URL"},
		"a location that does not fit":  {400, "IllegalLocationConstraintException", "", nil, "check region and endpoint in the URL"},
		"another host":                  {307, "TemporaryRedirect", "", map[string]string{"Location": "https://elsewhere.example/acme?X-Amz-Signature=0a1b"}, "the redirect to elsewhere.example is not followed"},
		"another host, wordlessly":      {308, "", "", map[string]string{"Location": "https://elsewhere.example/acme"}, "the redirect to elsewhere.example is not followed"},
		"no bucket":                     {404, "NoSuchBucket", "", nil, "there is no such bucket: check the name"},
		"credentials that have expired": {400, "ExpiredToken", "", nil, "the credentials have expired"},
		"a key of KMS":                  {400, "KMS.DisabledException", "", nil, "check sink.kms_key_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, openErr := bucket.Open(t.Context(), "s3://acme/lake?region=us-east-1&path_style=true",
					bucket.Options{Credentials: keys(), HTTPClient: always(c.status, c.code, c.message, c.headers)})
				var opened atomic.Bool
				refuses := always(c.status, c.code, c.message, c.headers)
				s := openStore(t, "s3://acme/lake?region=us-east-1&path_style=true", bucket.Options{
					Credentials: keys(), HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
						if !opened.Swap(true) {
							return reply(r, http.StatusOK, "<ListBucketResult/>"), nil
						}
						return refuses.Transport.RoundTrip(r)
					})},
				})
				_, plainErr := s.Put(t.Context(), "k", []byte("x"), bucket.Condition{})
				_, condErr := s.Put(t.Context(), "k", []byte("x"), bucket.Condition{IfNoneMatch: true})
				_, _, getErr := s.Get(t.Context(), "k")
				for what, err := range map[string]error{"Open": openErr, "Put": plainErr, "Put under a condition": condErr, "Get": getErr} {
					if !errors.Is(err, bucket.ErrDenied) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%s = %v, want %q", what, err, c.says)
					}
					for _, not := range []string{"access denied", "permission", "0a1b"} {
						if err != nil && strings.Contains(err.Error(), not) {
							t.Errorf("%s = %v, with %q in it", what, err, not)
						}
					}
				}
			})
		})
	}
}

// TestNoRequestGoesToAnotherHost: what is signed for one is not shown to another,
// with a body or without.
func TestNoRequestGoesToAnotherHost(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.WriteHeader(http.StatusOK)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var opened atomic.Bool
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !opened.Swap(true) {
				_, _ = w.Write([]byte("<ListBucketResult/>"))
				return
			}
			http.Redirect(w, r, other.URL+r.URL.Path, status)
		}))
		defer server.Close()
		s := openStore(t, "s3://acme/lake?region=x&endpoint="+server.URL, bucket.Options{Credentials: keys()})
		up := bucket.Upload{Key: "k", ID: "id", Token: "tok"}
		_, putErr := s.Put(t.Context(), "k", []byte("x"), bucket.Condition{IfNoneMatch: true})
		_, _, getErr := s.Get(t.Context(), "k")
		_, statErr := s.Stat(t.Context(), "k")
		_, partErr := s.UploadPart(t.Context(), up, 1, []byte("x"))
		completeErr := s.CompleteUpload(t.Context(), up, []bucket.Part{{Number: 1, ETag: "e", Size: 1}})
		for what, err := range map[string]error{"Put": putErr, "Get": getErr, "Stat": statErr, "UploadPart": partErr, "CompleteUpload": completeErr, "Delete": s.Delete(t.Context(), "k")} {
			if !errors.Is(err, bucket.ErrDenied) || !strings.Contains(err.Error(), "is not followed") {
				t.Errorf("%d, %s = %v, want that it is not followed", status, what, err)
			}
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests have reached another host", n)
	}
}

func TestPlainHTTPToAnotherMachineIsWarnedOf(t *testing.T) {
	t.Parallel()
	for endpoint, warns := range map[string]bool{
		"http://minio.example:9000":  true,
		"http://10.0.0.7":            true,
		"http://[2001:db8::1]:9000":  true,
		"http://127.0.0.1:9000":      false,
		"http://127.9.9.9":           false,
		"http://[::1]:9000":          false,
		"http://localhost:9000":      false,
		"http://s3.localhost":        false,
		"https://minio.example:9000": false,
		"http://localhost.example":   true,
		"http://127.0.0.1.example":   true,
	} {
		var log bytes.Buffer
		openStore(t, "s3://acme/lake?region=x&endpoint="+endpoint, bucket.Options{
			Credentials: keys(), HTTPClient: always(200, "", "", nil), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if got := strings.Contains(log.String(), "without encryption"); got != warns {
			t.Errorf("%s: warned of: %v: %s", endpoint, got, &log)
		}
	}
}

// What some stores say to a conditional write as if it were a read, and to who
// writes one key too often.
func TestOddAnswersToConditionalWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if _, err := cannedStore(t, 304, "", "").Put(t.Context(), "k", nil, bucket.Condition{IfNoneMatch: true}); !errors.Is(err, bucket.ErrPrecondition) {
			t.Errorf("304 = %v, want %v", err, bucket.ErrPrecondition)
		}
		var asked atomic.Int32
		s := openStore(t, "s3://acme/lake?region=x&path_style=true", bucket.Options{
			Credentials: keys(), HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if n := asked.Add(1); n > 1 && n < 4 {
					return reply(r, http.StatusTooManyRequests, "<Error><Code>ServiceUnavailable</Code><Message>Reduce your concurrent request rate for the same object.</Message></Error>"), nil
				}
				return reply(r, http.StatusOK, ""), nil
			})},
		})
		if _, err := s.Put(t.Context(), "k", nil, bucket.Condition{IfNoneMatch: true}); err != nil || asked.Load() != 4 {
			t.Errorf("429 = %v after %d requests", err, asked.Load())
		}
	})
}

// TestAStoreThatKnowsNoChecksums is one that refuses what they are sent in: that is
// told, with what to do, and what is told helps.
func TestAStoreThatKnowsNoChecksums(t *testing.T) {
	server := s3test.Start(t)
	config := filepath.Join(t.TempDir(), "config")
	text := "[default]\nrequest_checksum_calculation = when_required\nresponse_checksum_validation = when_required\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, lie := range []s3test.Lie{s3test.RefusesChecksums, s3test.RejectsChecksums} {
		for name, env := range map[string]map[string]string{
			"nothing is set":       {},
			"in the environment":   {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required", "AWS_RESPONSE_CHECKSUM_VALIDATION": "WHEN_REQUIRED"},
			"in the shared config": {"AWS_CONFIG_FILE": config},
		} {
			t.Run(string(lie)+"/"+name, func(t *testing.T) {
				for key, value := range env {
					t.Setenv(key, value)
				}
				store := server.Liar(t, lie)
				err := useEverything(t, openStore(t, store.URL, store.Options()))
				if len(env) > 0 {
					if err != nil {
						t.Errorf("with the setting: %v", err)
					}
					return
				}
				if !errors.Is(err, bucket.ErrUnsupported) || !strings.Contains(err.Error(), "set AWS_REQUEST_CHECKSUM_CALCULATION=when_required") {
					t.Errorf("got %v, want what to set", err)
				}
			})
		}
	}
}

// useEverything writes, uploads and reads back.
func useEverything(t *testing.T, s bucket.Store) error {
	t.Helper()
	info, err := s.Put(t.Context(), "a", []byte("x"), bucket.Condition{IfNoneMatch: true})
	if err == nil {
		_, err = s.Put(t.Context(), "a", []byte("y"), bucket.Condition{IfMatch: info.ETag})
	}
	if err != nil {
		return err
	}
	up, err := s.CreateUpload(t.Context(), "b")
	if err != nil {
		return err
	}
	part, err := s.UploadPart(t.Context(), up, 1, []byte("z"))
	if err != nil {
		return err
	}
	if err := s.CompleteUpload(t.Context(), up, []bucket.Part{part}); err != nil {
		return err
	}
	body, _, err := s.Get(t.Context(), "b")
	if err == nil && string(body) != "z" {
		t.Errorf("read back %q", body)
	}
	return err
}

// TestAnUploadIsCompletedWithWhatItsPartsWereSentWith, whatever is set by then.
func TestAnUploadIsCompletedWithWhatItsPartsWereSentWith(t *testing.T) { //nolint:paralleltest // it sets the environment
	server := s3test.Start(t)
	for _, first := range []string{"when_supported", "when_required"} {
		second := map[string]string{"when_supported": "when_required", "when_required": "when_supported"}[first]
		url := server.NewBucket(t)
		t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", first)
		s := openStore(t, url, server.Options())
		up, err := s.CreateUpload(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		part, err := s.UploadPart(t.Context(), up, 1, []byte("x"))
		if err != nil || (part.CRC32 != "") != (first == "when_supported") {
			t.Fatalf("%s: %+v, %v", first, part, err)
		}
		t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", second)
		if err := openStore(t, url, server.Options()).CompleteUpload(t.Context(), up, []bucket.Part{part}); err != nil {
			t.Errorf("begun %s, completed %s: %v", first, second, err)
		}
	}
}
