package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"finoos-syncer/internal/wait"
)

// uploadKey is the metadata key of an upload's token.
const uploadKey = "syncer-upload"

// CreateUpload begins a multipart upload. Its token travels as metadata:
// ETags cannot be predicted (KMS), so it alone tells later whose object
// stands at the key.
func (s *s3Store) CreateUpload(ctx context.Context, key string) (Upload, error) {
	if err := ValidKey(key); err != nil {
		return Upload{}, err
	}
	token := rand.Text()
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: s.bucket, Key: s.key(key), ExpectedBucketOwner: s.owner,
		// Said explicitly: servers disagree about parts with checksums in an
		// upload that was created without.
		ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32,
		ServerSideEncryption: s.sse, SSEKMSKeyId: s.kmsKey,
		Metadata: map[string]string{uploadKey: token},
	})
	if err != nil {
		return Upload{}, s3Error(ctx, "create upload "+key, err)
	}
	return Upload{Key: key, ID: aws.ToString(out.UploadId), Token: token}, nil
}

// UploadPart stores a part.
func (s *s3Store) UploadPart(ctx context.Context, up Upload, number int, body []byte) (Part, error) {
	if err := errors.Join(ValidKey(up.Key), validNumber(number)); err != nil {
		return Part{}, err
	}
	sum := crc32Of(body)
	out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: s.bucket, Key: s.key(up.Key), ExpectedBucketOwner: s.owner,
		UploadId: aws.String(up.ID), PartNumber: aws.Int32(int32(number)), // at most 10,000
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumCRC32: aws.String(sum),
	})
	if err != nil {
		return Part{}, s3Error(ctx, fmt.Sprintf("upload part %d of %s", number, up.Key), err)
	}
	return Part{Number: number, ETag: aws.ToString(out.ETag), Size: int64(len(body)), CRC32: sum}, nil
}

// CompleteUpload publishes an upload. What the store answers settles nothing:
// some say 404 to a repetition, some say 200 while the object is still being
// put together or where another's stands at the key, and a lost answer is
// repeated inside. The object itself does.
func (s *s3Store) CompleteUpload(ctx context.Context, up Upload, parts []Part) error {
	size, err := validParts(parts)
	if up.Token == "" {
		err = errors.Join(err, errors.New("invalid upload: it has no token to know its object by"))
	}
	if err := errors.Join(ValidKey(up.Key), err); err != nil {
		return err
	}
	completed := make([]types.CompletedPart, len(parts))
	for i, part := range parts {
		completed[i] = types.CompletedPart{
			PartNumber: aws.Int32(int32(part.Number)), // at most 10,000
			ETag:       optional(part.ETag), ChecksumCRC32: optional(part.CRC32),
		}
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: s.bucket, Key: s.key(up.Key), ExpectedBucketOwner: s.owner,
		UploadId: aws.String(up.ID), MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
	})
	if err == nil {
		return s.awaitCompleted(ctx, up, size)
	}
	answer := readAnswer(err)
	err = s3Error(ctx, "complete upload "+up.Key, err)
	if answer.status/100 != 4 || errors.Is(err, ErrDenied) {
		return err // open: repeat
	}
	found, statErr := s.lookFor(ctx, up, size)
	switch {
	case statErr != nil:
		return statErr
	case found == ours:
		return nil
	}
	return err
}

const (
	// A store that answers before it is done is given this long, doubling, to
	// show the object: first where nothing stands at the key, then where
	// another's object does (which nobody expects to be replaced).
	completeWait    = 50 * time.Millisecond
	completeLongest = 13 * time.Second
	completeShort   = time.Second
)

// awaitCompleted waits for the object that a store said was complete.
func (s *s3Store) awaitCompleted(ctx context.Context, up Upload, size int64) error {
	for pause := completeWait; ; pause *= 2 {
		found, err := s.lookFor(ctx, up, size)
		switch {
		case err != nil:
			return err
		case found == ours:
			return nil
		case pause > completeLongest || found == anothers && pause > completeShort:
			return fmt.Errorf("complete upload %s: %w: answered with success, but %s at the key", up.Key, ErrNoUpload, found)
		}
		if wait.For(ctx, pause) != nil {
			return fmt.Errorf("complete upload %s: %w", up.Key, ctx.Err())
		}
	}
}

// standing is whose object stands at an upload's key.
type standing string

const (
	nothing  standing = "nothing stands"
	anothers standing = "another object stands"
	ours     standing = "the upload's own object stands"
)

func (s *s3Store) lookFor(ctx context.Context, up Upload, size int64) (standing, error) {
	info, err := s.Stat(ctx, up.Key)
	switch {
	case errors.Is(err, ErrNotExist):
		return nothing, nil
	case err != nil:
		return "", fmt.Errorf("look for completed upload: %w", err)
	case info.Metadata[uploadKey] == up.Token && info.Size == size:
		return ours, nil
	}
	return anothers, nil
}

// AbortUpload drops an upload.
func (s *s3Store) AbortUpload(ctx context.Context, up Upload) error {
	if err := ValidKey(up.Key); err != nil {
		return err
	}
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: s.bucket, Key: s.key(up.Key), ExpectedBucketOwner: s.owner, UploadId: aws.String(up.ID),
	})
	if err == nil {
		return nil
	}
	if err = s3Error(ctx, "abort upload "+up.Key, err); errors.Is(err, ErrNoUpload) {
		return nil
	}
	return err
}

// PendingUploads asks with the whole key as prefix: there are stores on which
// nothing shorter lists.
func (s *s3Store) PendingUploads(ctx context.Context, key string) ([]Upload, error) {
	if err := ValidKey(key); err != nil {
		return nil, err
	}
	var pending []Upload
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{
		Bucket: s.bucket, Prefix: s.key(key), ExpectedBucketOwner: s.owner,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, listingError(ctx, "list uploads "+key, err)
		}
		for _, upload := range page.Uploads {
			if aws.ToString(upload.Key) == *s.key(key) {
				pending = append(pending, Upload{Key: key, ID: aws.ToString(upload.UploadId)})
			}
		}
	}
	return pending, nil
}

func listingError(ctx context.Context, doing string, err error) error {
	if answer := readAnswer(err); answer.refusesListing() {
		return fmt.Errorf("%s: %w: %s", doing, ErrUnsupported, answer.detail)
	}
	return s3Error(ctx, doing, err)
}
