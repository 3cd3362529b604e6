package bucket_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"finoos-syncer/internal/sink/bucket"
)

// upload is a store's view of one upload, and what it says about it.
type uploadAnswers struct {
	status   int
	body     string
	lost     bool   // the answer never comes
	token    string // of the object at the key; "" where none stands
	size     int
	pending  bool // it is still listed
	headless int  // status of every HEAD, in place of what stands
	standsBy int  // the request to complete by which it stands; 0 from the beginning

	asked int
}

const ownToken, ownSize = "tok", 3

func (u *uploadAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodPost:
		u.asked++
		if u.lost {
			return nil, errors.New("connection reset by peer")
		}
		return reply(r, u.status, u.body), nil
	case r.Method == http.MethodHead && u.headless != 0:
		return reply(r, u.headless, ""), nil
	case r.Method == http.MethodHead && (u.token == "" || u.asked < u.standsBy):
		return reply(r, http.StatusNotFound, ""), nil
	case r.Method == http.MethodHead:
		response := reply(r, http.StatusOK, "")
		response.Header.Set("X-Amz-Meta-Syncer-Upload", u.token)
		response.Header.Set("Content-Length", strconv.Itoa(u.size))
		response.ContentLength = int64(u.size)
		return response, nil
	case r.URL.Query().Has("uploads") && u.pending:
		return reply(r, http.StatusOK, "<ListMultipartUploadsResult><Upload><Key>lake/a/b</Key><UploadId>id</UploadId></Upload></ListMultipartUploadsResult>"), nil
	case r.URL.Query().Has("uploads"):
		return reply(r, http.StatusOK, "<ListMultipartUploadsResult/>"), nil
	}
	return reply(r, http.StatusOK, "<ListBucketResult/>"), nil
}

func (u *uploadAnswers) complete(t *testing.T) error {
	t.Helper()
	s := openStore(t, "s3://acme/lake?region=eu-central-1&path_style=true", bucket.Options{
		Credentials: &bucket.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
		HTTPClient:  &http.Client{Transport: u},
	})
	return s.CompleteUpload(t.Context(), bucket.Upload{Key: "a/b", ID: "id", Token: ownToken}, []bucket.Part{{Number: 1, ETag: "e", Size: ownSize}})
}

// s3Says is an error in a body, behind the space that S3 sends while it works.
func s3Says(code string) string {
	return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n   \n  \n<Error><Code>" + code + "</Code><Message>It is so.</Message></Error>"
}

// answersToCompletion are what stores have been seen to say.
func answersToCompletion() map[string]uploadAnswers {
	return map[string]uploadAnswers{
		"404 NoSuchUpload":          {status: 404, body: s3Says("NoSuchUpload")},
		"200, then NoSuchUpload":    {status: 200, body: s3Says("NoSuchUpload")},
		"400 NoSuchUpload":          {status: 400, body: s3Says("NoSuchUpload")},
		"500 NoSuchUpload":          {status: 500, body: s3Says("NoSuchUpload")},
		"404 NoSuchKey":             {status: 404, body: s3Says("NoSuchKey")},
		"404 without a word":        {status: 404},
		"200, then InternalError":   {status: 200, body: s3Says("InternalError")},
		"500 InternalError":         {status: 500, body: s3Says("InternalError")},
		"503 SlowDown":              {status: 503, body: s3Says("SlowDown")},
		"200, then SlowDown":        {status: 200, body: s3Says("SlowDown")},
		"409 OperationAborted":      {status: 409, body: s3Says("OperationAborted")},
		"200, then OperationAbort…": {status: 200, body: s3Says("OperationAborted")},
		"400 InvalidPart":           {status: 400, body: s3Says("InvalidPart")},
		"200, then InvalidPart":     {status: 200, body: s3Says("InvalidPart")},
		"403 AccessDenied":          {status: 403, body: s3Says("AccessDenied")},
		"412 PreconditionFailed":    {status: 412, body: s3Says("PreconditionFailed")},
		"200 without a body":        {status: 200},
		"200, broken off":           {status: 200, body: "<?xml version=\"1.0\"?><CompleteMultipartUploadRes"},
		"200, and nothing of XML":   {status: 200, body: "OK"},
		"204":                       {status: 204},
		"no answer":                 {lost: true},
	}
}

func TestAnUploadIsCompleteWhereItsObjectStandsWhateverIsAnswered(t *testing.T) {
	t.Parallel()
	for name, u := range answersToCompletion() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u.token, u.size = ownToken, ownSize
				if err := u.complete(t); err != nil {
					t.Errorf("its object stands: %v", err)
				}
			})
		})
	}
}

// gone are the answers that say that the store has the upload no more.
func gone(name string) bool { return strings.Contains(name, "NoSuchUpload") }

// succeeds are those that say that it was completed, or that nothing is known of its
// key: then the list of uploads decides.
func succeeds(u uploadAnswers) bool {
	return u.status/100 == 2 && (u.body == "" || u.body == "OK") || u.body == s3Says("NoSuchKey")
}

func TestAnUploadIsGivenUpOnlyWhereItIsGoneAndItsObjectIsNotThere(t *testing.T) {
	t.Parallel()
	for name, answers := range answersToCompletion() {
		for what, stand := range map[string]func(*uploadAnswers){
			"nothing stands":                  func(*uploadAnswers) {},
			"another's object stands":         func(u *uploadAnswers) { u.token, u.size = "another's", ownSize },
			"its token on another size":       func(u *uploadAnswers) { u.token, u.size = ownToken, ownSize-1 },
			"nothing stands, and it is there": func(u *uploadAnswers) { u.pending = true },
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					u := answers
					stand(&u)
					err := u.complete(t)
					if err == nil {
						t.Fatal("called complete")
					}
					if got := errors.Is(err, bucket.ErrNoUpload); gone(name) && !got || got && u.pending && !gone(name) {
						t.Errorf("given up: %v; %v", got, err)
					}
					if name == "404 NoSuchKey" && errors.Is(err, bucket.ErrNoUpload) == u.pending {
						t.Errorf("complete = %v, pending: %v", err, u.pending)
					}
					if errors.Is(err, bucket.ErrNoUpload) && !gone(name) && !succeeds(u) {
						t.Errorf("nothing says that it is gone, and it is given up: %v", err)
					}
				})
			})
		}
	}
}

func TestWhereTheObjectCannotBeLookedAtTheOutcomeIsOpen(t *testing.T) {
	t.Parallel()
	for name, answers := range answersToCompletion() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := answers
				u.headless = http.StatusServiceUnavailable
				err := u.complete(t)
				for _, kind := range []error{nil, bucket.ErrNoUpload, bucket.ErrNotExist, bucket.ErrConflict, bucket.ErrPrecondition} {
					if errors.Is(err, kind) {
						t.Errorf("complete = %v, which is certain; it cannot be", err)
					}
				}
			})
		})
	}
}

func TestACompletionThatMetAnotherOrCameToNothingIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]uploadAnswers{
		"a conflict":                {status: 409, body: s3Says("OperationAborted")},
		"success without an object": {status: 200, pending: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u.token, u.size, u.standsBy = ownToken, ownSize, 3
				if err := u.complete(t); err != nil || u.asked != 3 {
					t.Errorf("asked %d times: %v", u.asked, err)
				}
			})
		})
	}
}
