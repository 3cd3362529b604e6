package s3test

import (
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// PendingUploads returns the keys of all multipart uploads to a bucket that are
// neither completed nor aborted. It asks with another client than the store's.
func (s *Server) PendingUploads(tb testing.TB, storeURL string) []string {
	tb.Helper()
	var keys []string
	for _, up := range s.uploads(tb, bucketOf(tb, storeURL)) {
		keys = append(keys, aws.ToString(up.Key))
	}
	return keys
}

// AbortUploads does what a lifecycle rule does, to the uploads to some keys, and
// returns to how many.
func (s *Server) AbortUploads(tb testing.TB, storeURL string, to func(key string) bool) (n int) {
	tb.Helper()
	name := bucketOf(tb, storeURL)
	for _, up := range s.uploads(tb, name) {
		if !to(aws.ToString(up.Key)) {
			continue
		}
		_, err := s.admin.AbortMultipartUpload(tb.Context(), &s3.AbortMultipartUploadInput{Bucket: &name, Key: up.Key, UploadId: up.UploadId})
		if err != nil {
			tb.Fatalf("abort upload: %v", err)
		}
		n++
	}
	return n
}

// uploads lists one page, which holds a thousand: the continuation is refused by
// this server.
func (s *Server) uploads(tb testing.TB, name string) []types.MultipartUpload {
	tb.Helper()
	page, err := s.admin.ListMultipartUploads(tb.Context(), &s3.ListMultipartUploadsInput{Bucket: &name})
	if err != nil {
		tb.Fatalf("list uploads: %v", err)
	}
	if aws.ToBool(page.IsTruncated) {
		tb.Fatal("list uploads: more than one page")
	}
	return page.Uploads
}

func bucketOf(tb testing.TB, storeURL string) string {
	tb.Helper()
	u, err := url.Parse(storeURL)
	if err != nil {
		tb.Fatalf("parse store URL: %v", err)
	}
	return u.Host
}
