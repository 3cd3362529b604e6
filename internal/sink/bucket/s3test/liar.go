package s3test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"finoos-syncer/internal/wait"
)

// Lie is one way in which a store does not do what it is asked to. Each is met
// in stores that call themselves S3-compatible.
type Lie string

// The lies.
const (
	// IgnoresIfNoneMatch writes over what stands.
	IgnoresIfNoneMatch Lie = "ignores If-None-Match"
	// RefusesIfNoneMatch answers 501 NotImplemented to it.
	RefusesIfNoneMatch Lie = "answers 501 to If-None-Match"
	// RejectsIfNoneMatch answers 400 InvalidArgument to it.
	RejectsIfNoneMatch Lie = "answers 400 to If-None-Match"
	// GarblesIfNoneMatch answers 400 to it without a word.
	GarblesIfNoneMatch Lie = "answers 400 without a body to If-None-Match"
	// IgnoresIfMatch writes over what is not the version that was meant.
	IgnoresIfMatch Lie = "ignores If-Match"
	// RefusesIfMatch answers 501 NotImplemented to it.
	RefusesIfMatch Lie = "answers 501 to If-Match"
	// ListsNoUploads knows of no multipart upload.
	ListsNoUploads Lie = "lists no multipart uploads"
	// HidesUploads answers 404 to the listing of multipart uploads.
	HidesUploads Lie = "answers 404 to the listing of multipart uploads"
	// HidesUploadsWordlessly does so without a word.
	HidesUploadsWordlessly Lie = "answers 404 without a body to the listing of multipart uploads"
	// RefusesUploadListing answers 501 NotImplemented to it.
	RefusesUploadListing Lie = "answers 501 to the listing of multipart uploads"
	// LooksFirst keeps If-None-Match for who comes alone: it looks, and then writes.
	LooksFirst Lie = "looks for an object, and then writes one"
	// ForgetsMetadata shows no object with what it was created with.
	ForgetsMetadata Lie = "forgets metadata"
	// SwallowsCompletions answers 200 to the completion of an upload, without a body,
	// and completes nothing.
	SwallowsCompletions Lie = "answers 200 to a completion, and completes nothing"
	// HasNoClock answers without a Date.
	HasNoClock Lie = "answers without a Date header"
	// RefusesChecksums answers 501 to headers with checksums.
	RefusesChecksums Lie = "answers 501 to checksums"
	// RejectsChecksums answers 400 to them.
	RejectsChecksums Lie = "answers 400 to checksums"
)

// Lies are all lies that no setting helps against.
func Lies() []Lie {
	return []Lie{
		IgnoresIfNoneMatch, RefusesIfNoneMatch, RejectsIfNoneMatch, GarblesIfNoneMatch, IgnoresIfMatch, RefusesIfMatch,
		ListsNoUploads, HidesUploads, HidesUploadsWordlessly, RefusesUploadListing,
		LooksFirst, ForgetsMetadata, SwallowsCompletions, HasNoClock,
	}
}

// Liar is a server in front of this one that tells one lie, and the truth
// otherwise. URL is an empty bucket of its own. What its clients sign, it signs
// anew: headers that it drops were part of the signature.
func (s *Server) Liar(tb testing.TB, lie Lie) *Server {
	tb.Helper()
	behind, err := url.Parse(s.Endpoint)
	if err != nil {
		tb.Fatalf("parse endpoint: %v", err)
	}
	p := &liar{lie: lie, behind: behind, server: s, client: new(http.Client), signer: v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true // as S3 wants it
	})}
	if s.Client != nil {
		p.client = s.Client
	}
	proxy := httptest.NewServer(p)
	tb.Cleanup(proxy.Close)
	l := *s
	l.Endpoint, l.Client = proxy.URL, nil
	l.URL = l.NewBucket(tb) // created by the admin of the server behind
	return &l
}

type liar struct {
	lie    Lie
	behind *url.URL
	server *Server
	client *http.Client
	signer *v4.Signer
}

// ServeHTTP lies, or passes the request on.
func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.answers(w, r) {
		return
	}
	if err := l.forward(w, r); err != nil {
		w.WriteHeader(http.StatusBadGateway)
	}
}

// answers tells the lie, where it is an answer of its own.
func (l *liar) answers(w http.ResponseWriter, r *http.Request) bool {
	conditional := r.Method == http.MethodPut && r.Header.Get("If-None-Match") != ""
	matching := r.Method == http.MethodPut && r.Header.Get("If-Match") != ""
	listing := r.Method == http.MethodGet && r.URL.Query().Has("uploads")
	switch {
	case l.lie == RefusesIfNoneMatch && conditional, l.lie == RefusesIfMatch && matching:
		refuse(w, http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
	case l.lie == RejectsIfNoneMatch && conditional:
		refuse(w, http.StatusBadRequest, "InvalidArgument", "Invalid Argument")
	case l.lie == GarblesIfNoneMatch && conditional:
		w.WriteHeader(http.StatusBadRequest)
	case l.lie == ListsNoUploads && listing:
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`)
	case l.lie == HidesUploads && listing:
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case l.lie == HidesUploadsWordlessly && listing:
		w.WriteHeader(http.StatusNotFound)
	case l.lie == RefusesUploadListing && listing:
		refuse(w, http.StatusNotImplemented, "NotImplemented", "Not implemented")
	case l.lie == SwallowsCompletions && r.Method == http.MethodPost && r.URL.Query().Has("uploadId"):
		w.WriteHeader(http.StatusOK)
	case l.lie == RefusesChecksums && checksumIn(r) != "":
		refuse(w, http.StatusNotImplemented, "NotImplemented", "Header "+checksumIn(r)+" not implemented")
	case l.lie == RejectsChecksums && checksumIn(r) != "":
		refuse(w, http.StatusBadRequest, "InvalidArgument", "Unsupported header '"+checksumIn(r)+"' received for this API call.")
	default:
		return false
	}
	return true
}

// checksumIn is the header of a request that speaks of checksums.
func checksumIn(r *http.Request) string {
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-checksum-") || strings.HasPrefix(name, "x-amz-sdk-checksum-") || name == "x-amz-trailer" {
			return name
		}
	}
	return ""
}

// stands says whether an object is at a request's key.
func (l *liar) stands(r *http.Request) bool {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	_, err := l.server.admin.HeadObject(r.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	return err == nil
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+code+`</Code><Message>`+message+`</Message></Error>`)
}

// forward passes a request on, without what the lie ignores.
func (l *liar) forward(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	to := *r.URL
	to.Scheme, to.Host = l.behind.Scheme, l.behind.Host
	out, err := http.NewRequestWithContext(ctx, r.Method, to.String(), r.Body)
	if err != nil {
		return err
	}
	if l.lie == LooksFirst && r.Header.Get("If-None-Match") != "" {
		if l.stands(r) {
			refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "It is there")
			return nil
		}
		if err := wait.For(ctx, 100*time.Millisecond); err != nil { // others look as well
			return err
		}
	}
	out.ContentLength = r.ContentLength
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	out.Header = r.Header.Clone()
	for _, name := range []string{"Authorization", "X-Amz-Date", "Accept-Encoding", "Connection"} {
		out.Header.Del(name)
	}
	if l.lie == IgnoresIfNoneMatch || l.lie == LooksFirst {
		out.Header.Del("If-None-Match")
	}
	if l.lie == IgnoresIfMatch {
		out.Header.Del("If-Match")
	}
	c := l.server.Credentials
	err = l.signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey},
		out, r.Header.Get("X-Amz-Content-Sha256"), "s3", region, time.Now())
	if err != nil {
		return err
	}
	response, err := l.client.Do(out)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	maps.Copy(w.Header(), response.Header)
	if l.lie == ForgetsMetadata {
		maps.DeleteFunc(w.Header(), func(name string, _ []string) bool { return strings.HasPrefix(name, "X-Amz-Meta-") })
	}
	if l.lie == HasNoClock {
		w.Header()["Date"] = nil // else the one of this server's
	}
	w.WriteHeader(response.StatusCode)
	_, err = io.Copy(w, response.Body)
	return err
}

// Contents lists the keys of all objects in a bucket of this server, or of the
// one behind it, and of all pending uploads.
func (s *Server) Contents(tb testing.TB, storeURL string) (objects, uploads []string) {
	tb.Helper()
	u, err := url.Parse(storeURL)
	if err != nil {
		tb.Fatalf("parse store URL: %v", err)
	}
	prefix := strings.TrimPrefix(u.Path, "/")
	listed, err := s.admin.ListObjectsV2(tb.Context(), &s3.ListObjectsV2Input{Bucket: &u.Host, Prefix: &prefix})
	if err != nil {
		tb.Fatalf("list objects: %v", err)
	}
	for _, o := range listed.Contents {
		objects = append(objects, aws.ToString(o.Key))
	}
	pending, err := s.admin.ListMultipartUploads(tb.Context(), &s3.ListMultipartUploadsInput{Bucket: &u.Host})
	if err != nil {
		tb.Fatalf("list uploads: %v", err)
	}
	for _, up := range pending.Uploads {
		uploads = append(uploads, aws.ToString(up.Key))
	}
	return objects, uploads
}
