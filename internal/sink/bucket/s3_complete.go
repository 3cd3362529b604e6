package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"finoos-syncer/internal/wait"
)

// CompleteUpload publishes an upload. What the store answers settles nothing:
// some say 404 to a repetition, some begin with 200 and then fail, some say 200
// while the object is still being put together or where another's stands at the
// key, some drop the answer. The object itself does, looked at after every one.
func (s *s3Store) CompleteUpload(ctx context.Context, up Upload, parts []Part) error {
	size, err := validParts(parts)
	if up.Token == "" {
		err = errors.Join(err, errors.New("invalid upload: it has no token to know its object by"))
	}
	if err := errors.Join(ValidKey(up.Key), err); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		answer := s.askToComplete(ctx, up, parts)
		found, err := s.awaitCompleted(ctx, up, size, hope(answer))
		switch {
		case err == nil && found == ours:
			return nil
		case err != nil && answer != nil: // neither settles it, both are told
			return fmt.Errorf("%w (to the completion the store had answered: %s)", err, readAnswer(answer).detail)
		case err != nil:
			return err
		case answer != nil && readAnswer(answer).code != "NoSuchKey":
			err = s3Error(ctx, "complete upload "+up.Key, answer)
		case answer != nil: // the key, some call it, and mean the upload
			err = s.incomplete(ctx, up, size, readAnswer(answer).detail)
		default:
			err = s.incomplete(ctx, up, size, "answered with success")
		}
		again := errors.Is(err, ErrConflict) || errors.Is(err, ErrStillPending) || attempt == 1 && answer != nil && readAnswer(answer).isUnhappy()
		if attempt == completeAttempts || !again {
			return err
		}
	}
}

// askToComplete asks once and returns the answer.
func (s *s3Store) askToComplete(ctx context.Context, up Upload, parts []Part) error {
	completed := make([]types.CompletedPart, len(parts))
	for i, part := range parts {
		completed[i] = types.CompletedPart{
			PartNumber: aws.Int32(int32(part.Number)), // at most 10,000
			ETag:       optional(part.ETag), ChecksumCRC32: optional(part.CRC32),
		}
	}
	_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: s.bucket, Key: s.key(up.Key), ExpectedBucketOwner: s.owner,
		UploadId: aws.String(up.ID), MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
	})
	return err
}

const (
	// completeAttempts is how often a completion is asked for that came to nothing
	// without a reason.
	completeAttempts = 4
	// A store is given this long, doubling, to show the object: long where it said
	// that it was done, has the upload no more, and nothing stands at the key; short
	// where another's object does, which nobody expects to be replaced; for a moment
	// where the upload is said to be gone: somebody else may be completing it.
	completeWait    = 50 * time.Millisecond
	completeLongest = 13 * time.Second
	completeShort   = time.Second
	completeMoment  = 200 * time.Millisecond
)

// hope is how long an object may still come to stand after an answer.
func hope(answer error) time.Duration {
	if answer == nil {
		return completeShort
	}
	if kind := readAnswer(answer).kind(); errors.Is(kind, ErrNoUpload) || errors.Is(kind, ErrConflict) {
		return completeMoment
	}
	return 0
}

// awaitCompleted looks whose object stands, until it is the upload's or a pause
// would be longer than longest.
func (s *s3Store) awaitCompleted(ctx context.Context, up Upload, size int64, longest time.Duration) (standing, error) {
	for pause := completeWait; ; pause *= 2 {
		found, err := s.lookFor(ctx, up, size)
		if err != nil || found == ours || pause > longest || found == anothers && pause > completeShort {
			return found, err
		}
		if wait.For(ctx, pause) != nil {
			return "", fmt.Errorf("complete upload %s: %w", up.Key, ctx.Err())
		}
	}
}

// incomplete says what became of an upload that was called complete, or not found by
// its key, and whose object does not stand. It is given up only where it is certainly
// gone.
func (s *s3Store) incomplete(ctx context.Context, up Upload, size int64, answered string) error {
	pending, err := s.PendingUploads(ctx, up.Key)
	if err != nil {
		return fmt.Errorf("look for an upload that did not become its object (%s): %w", answered, err)
	}
	if slices.ContainsFunc(pending, func(p Upload) bool { return p.ID == up.ID }) {
		return fmt.Errorf("complete upload %s: %w", up.Key, ErrStillPending)
	}
	found, err := s.awaitCompleted(ctx, up, size, completeLongest)
	if err != nil || found == ours {
		return err
	}
	return fmt.Errorf("complete upload %s: %w: %s, but %s at the key", up.Key, ErrNoUpload, answered, found)
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
