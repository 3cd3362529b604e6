package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
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
	in := &s3.CreateMultipartUploadInput{
		Bucket: s.bucket, Key: s.key(key), ExpectedBucketOwner: s.owner,
		ServerSideEncryption: s.sse, SSEKMSKeyId: s.kmsKey,
		Metadata: map[string]string{uploadKey: token},
	}
	if s.checksums {
		// Said explicitly: servers disagree about parts with checksums in an
		// upload that was created without.
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	}
	out, err := s.client.CreateMultipartUpload(ctx, in, repeatConflicts)
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
	// Kept with the part: who completes the upload sends the checksums that its
	// parts were sent with, whatever the settings are by then.
	var sum string
	if s.checksums {
		sum = crc32Of(body)
	}
	out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: s.bucket, Key: s.key(up.Key), ExpectedBucketOwner: s.owner,
		UploadId: aws.String(up.ID), PartNumber: aws.Int32(int32(number)), // at most 10,000
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumCRC32: optional(sum),
	}, repeatConflicts)
	if err != nil {
		return Part{}, s3Error(ctx, fmt.Sprintf("upload part %d of %s", number, up.Key), err)
	}
	return Part{Number: number, ETag: aws.ToString(out.ETag), Size: int64(len(body)), CRC32: sum}, nil
}

// AbortUpload drops an upload.
func (s *s3Store) AbortUpload(ctx context.Context, up Upload) error {
	if err := ValidKey(up.Key); err != nil {
		return err
	}
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: s.bucket, Key: s.key(up.Key), ExpectedBucketOwner: s.owner, UploadId: aws.String(up.ID),
	}, repeatConflicts)
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
