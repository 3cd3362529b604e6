package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// s3Reader reads ranges of one version of an object.
type s3Reader struct {
	size int64
	// read fills p from an offset, all of it within the object; it carries the
	// context that the object was opened with.
	read func(p []byte, off int64) error
}

// Open looks the object up, so that its size is known and later reads stick to
// the version seen now.
func (s *s3Store) Open(ctx context.Context, key string) (Reader, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	read := func(p []byte, off int64) error {
		in := &s3.GetObjectInput{
			Key: s.key(key), IfMatch: optional(info.ETag),
			Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1)),
		}
		err := s.fetch(ctx, in, func(out *s3.GetObjectOutput) error {
			_, err := io.ReadFull(out.Body, p)
			return err
		})
		if err != nil {
			return s3Error(ctx, fmt.Sprintf("read %s at %d", key, off), err)
		}
		return nil
	}
	return &s3Reader{size: info.Size, read: read}, nil
}

// Size is the object's size.
func (r *s3Reader) Size() int64 { return r.size }

// Close has nothing to release.
func (r *s3Reader) Close() error { return nil }

// ReadAt implements io.ReaderAt, one request a call.
func (r *s3Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read at a negative offset")
	}
	if off >= r.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > r.size-off
	if short {
		p = p[:r.size-off]
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.read(p, off); err != nil {
		return 0, err
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}
