package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Get reads a whole object.
func (s *s3Store) Get(ctx context.Context, key string) ([]byte, Info, error) {
	if err := ValidKey(key); err != nil {
		return nil, Info{}, err
	}
	var body []byte
	var info Info
	err := s.fetch(ctx, &s3.GetObjectInput{Key: s.key(key)}, func(out *s3.GetObjectOutput) error {
		info = Info{
			Key: key, ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified).UTC(),
			StoreTime: storeTime(out.ResultMetadata), Metadata: out.Metadata,
		}
		most := s.most(key)
		if aws.ToInt64(out.ContentLength) > most {
			return errTooLarge(most)
		}
		var err error
		body, err = readCapped(out.Body, most)
		info.Size = int64(len(body))
		return err
	})
	if err != nil {
		return nil, Info{}, bodyError(ctx, "get "+key, err)
	}
	return body, info, nil
}

// Put writes a whole object. The answer to a request that was repeated inside
// may be ErrPrecondition because of our own object; see the package comment.
func (s *s3Store) Put(ctx context.Context, key string, body []byte, cond Condition) (Info, error) {
	if err := ValidKey(key); err != nil {
		return Info{}, err
	}
	in := &s3.PutObjectInput{
		Bucket: s.bucket, Key: s.key(key), ExpectedBucketOwner: s.owner,
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ServerSideEncryption: s.sse, SSEKMSKeyId: s.kmsKey,
		IfMatch: optional(cond.IfMatch),
	}
	if s.checksums {
		in.ChecksumCRC32 = aws.String(crc32Of(body))
	}
	if cond.IfNoneMatch {
		in.IfNoneMatch = aws.String("*")
	}
	out, err := s.client.PutObject(ctx, in)
	if err != nil {
		return Info{}, putError(ctx, "put "+key, cond, err)
	}
	now := storeTime(out.ResultMetadata)
	return Info{Key: key, Size: int64(len(body)), ETag: aws.ToString(out.ETag), Modified: now, StoreTime: now}, nil
}

func putError(ctx context.Context, doing string, cond Condition, err error) error {
	answer := readAnswer(err)
	switch {
	case cond == (Condition{}), answer.refusesChecksum(), answer.isElsewhere():
	case answer.refusesCondition():
		return fmt.Errorf("%s: %w: conditional write: %s", doing, ErrUnsupported, answer.detail)
	case errors.Is(answer.kind(), ErrNotExist), // If-Match on nothing
		answer.status == http.StatusNotModified: // what some say to If-None-Match, as if it were a GET
		return fmt.Errorf("%s: %w: %s", doing, ErrPrecondition, answer.detail)
	}
	return s3Error(ctx, doing, err)
}

// Stat describes an object.
func (s *s3Store) Stat(ctx context.Context, key string) (Info, error) {
	if err := ValidKey(key); err != nil {
		return Info{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket, Key: s.key(key), ExpectedBucketOwner: s.owner})
	if err != nil {
		return Info{}, s3Error(ctx, "stat "+key, err)
	}
	return Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified).UTC(),
		StoreTime: storeTime(out.ResultMetadata), Metadata: out.Metadata,
	}, nil
}

// Delete removes an object.
func (s *s3Store) Delete(ctx context.Context, key string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: s.bucket, Key: s.key(key), ExpectedBucketOwner: s.owner,
	}, repeatConflicts)
	if err == nil {
		return nil
	}
	if err = s3Error(ctx, "delete "+key, err); errors.Is(err, ErrNotExist) {
		return nil
	}
	return err
}

// List yields objects page by page.
func (s *s3Store) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: s.bucket, ExpectedBucketOwner: s.owner, Prefix: s.key(prefix)}
		if after != "" {
			in.StartAfter = s.key(after)
		}
		pages := s3.NewListObjectsV2Paginator(s.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Info{}, s3Error(ctx, "list "+prefix, err))
				return
			}
			for _, object := range page.Contents {
				key := strings.TrimPrefix(aws.ToString(object.Key), s.prefix)
				if key == "" || strings.HasSuffix(key, "/") {
					continue // the "folders" that consoles create
				}
				info := Info{Key: key, Size: aws.ToInt64(object.Size), ETag: aws.ToString(object.ETag), Modified: aws.ToTime(object.LastModified).UTC()}
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// bodyAttempts is how often a body that broke off is read again. The SDK
// repeats requests, but its work ends where the body begins.
const bodyAttempts = 3

// fetch gets an object and has its body consumed, again where that fails.
func (s *s3Store) fetch(ctx context.Context, in *s3.GetObjectInput, consume func(*s3.GetObjectOutput) error) error {
	in.Bucket, in.ExpectedBucketOwner = s.bucket, s.owner
	var err error
	for range bodyAttempts {
		var out *s3.GetObjectOutput
		out, err = s.client.GetObject(ctx, in)
		if err != nil {
			return err
		}
		err = consume(out)
		if closeErr := out.Body.Close(); err == nil {
			err = closeErr
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrTooLarge) {
			return err
		}
	}
	return err
}

func errTooLarge(most int64) error { return fmt.Errorf("%w than %d bytes", ErrTooLarge, most) }

// readCapped reads to the end, where the checksum is compared.
func readCapped(r io.Reader, most int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(body)) > most {
		return nil, errTooLarge(most)
	}
	return body, err
}

func bodyError(ctx context.Context, doing string, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s3Error(ctx, doing, err)
}
