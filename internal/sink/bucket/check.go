package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// UploadChecker is a store that can tell whether an upload that is pending could be
// completed. It changes nothing.
type UploadChecker interface {
	// CheckUpload returns ErrBadUpload where the upload is pending, and its parts are
	// not these; ErrNoUpload where it is not pending. A folder reads the parts, S3 tells
	// their sizes and ETags.
	CheckUpload(ctx context.Context, up Upload, parts []Part) error
}

// CheckUpload asks a store whether a pending upload could be completed: see
// [UploadChecker]. ErrUnsupported where the store cannot tell.
func CheckUpload(ctx context.Context, store Uploads, up Upload, parts []Part) error {
	if c, ok := store.(UploadChecker); ok {
		return c.CheckUpload(ctx, up, parts)
	}
	return fmt.Errorf("check upload %s: %w", up.Key, ErrUnsupported)
}

// CheckUpload reads the parts.
func (f *folderStore) CheckUpload(ctx context.Context, up Upload, parts []Part) error {
	doing := "check upload " + up.Key
	extents := make([]extent, len(parts))
	for i, part := range parts {
		var err error
		if extents[i], err = parseExtent(part); err != nil {
			return fmt.Errorf("%s: %w: %w", doing, ErrBadUpload, err)
		}
	}
	root, err := f.beginUpload(ctx, up, false)
	var file *os.File
	if err == nil {
		file, _, err = openRegular(root, f.pendingName(up), os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", doing, ErrNoUpload)
	}
	if err != nil {
		return readError(doing, err)
	}
	defer func() { _ = file.Close() }() // only read
	for i, e := range extents {
		hash, err := hashOf(io.NewSectionReader(file, e.offset, e.size))
		if err != nil {
			return readError(doing, err)
		}
		if hash != e.hash {
			return fmt.Errorf("%s: %w: part %d of %d is not what was acknowledged", doing, ErrBadUpload, i+1, len(extents))
		}
	}
	return nil
}

// CheckUpload compares the list of parts.
func (s *s3Store) CheckUpload(ctx context.Context, up Upload, parts []Part) error {
	doing := "check upload " + up.Key
	if err := ValidKey(up.Key); err != nil {
		return err
	}
	there := map[int32]types.Part{}
	pages := s3.NewListPartsPaginator(s.client, &s3.ListPartsInput{
		Bucket: s.bucket, Key: s.key(up.Key), UploadId: aws.String(up.ID), ExpectedBucketOwner: s.owner,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s3Error(ctx, doing, err)
		}
		for _, part := range page.Parts {
			there[aws.ToInt32(part.PartNumber)] = part
		}
	}
	bare := func(etag string) string { return strings.Trim(etag, `"`) }
	for _, part := range parts {
		got, ok := there[int32(part.Number)] // at most 10,000
		switch {
		case !ok:
			return fmt.Errorf("%s: %w: part %d is not there", doing, ErrBadUpload, part.Number)
		case aws.ToInt64(got.Size) != part.Size || bare(aws.ToString(got.ETag)) != bare(part.ETag):
			return fmt.Errorf("%s: %w: part %d is another one", doing, ErrBadUpload, part.Number)
		}
	}
	return nil
}
