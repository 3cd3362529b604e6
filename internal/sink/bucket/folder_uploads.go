package bucket

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
)

const pendingSuffix = ".pending"

// An upload is one file to which parts are appended, in the order in which
// they come; where a part lies and what it holds is its ETag. So a part that
// is sent again is simply appended again, and the list of parts that completes
// the upload says which bytes are meant. In the usual case these are the whole
// file in order, and publishing is a rename.

// extent is where a part lies.
type extent struct {
	offset, size int64
	hash         string
}

func (e extent) etag() string { return fmt.Sprintf("%d-%s", e.offset, e.hash) }

func parseExtent(part Part) (extent, error) {
	offset, hash, ok := strings.Cut(part.ETag, "-")
	at, err := strconv.ParseInt(offset, 10, 64)
	if !ok || err != nil || at < 0 || part.Size < 0 || len(hash) != 2*sha256.Size {
		return extent{}, fmt.Errorf("%w: invalid part %d: its etag %.100q is not this store's", ErrBadUpload, part.Number, part.ETag)
	}
	return extent{offset: at, size: part.Size, hash: hash}, nil
}

// pendingName is the file of an upload. It can be read by a person unless
// the key is too long for a file name.
func (f *folderStore) pendingName(up Upload) string {
	return f.pending + "/" + pendingStem(up.Key) + up.ID + pendingSuffix
}

func pendingStem(key string) string {
	const longest = 200 // of the 255 that file systems allow
	stem := url.PathEscape(key)
	if len(stem) > longest {
		stem = etagOf([]byte(key))
	}
	return "." + stem + "."
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func (f *folderStore) beginUpload(ctx context.Context, up Upload, create bool) (*os.Root, error) {
	if up.ID == "" || strings.ContainsAny(up.ID, "./") {
		return nil, fmt.Errorf("invalid upload id %.40q", up.ID)
	}
	return f.begin(ctx, up.Key, create)
}

// CreateUpload begins an upload.
func (f *folderStore) CreateUpload(ctx context.Context, key string) (Upload, error) {
	id := rand.Text()
	up := Upload{Key: key, ID: id, Token: id}
	if err := f.createUpload(ctx, up); err != nil {
		return Upload{}, writeError("create upload "+key, err)
	}
	return up, nil
}

func (f *folderStore) createUpload(ctx context.Context, up Upload) error {
	root, err := f.beginUpload(ctx, up, true)
	if err != nil {
		return err
	}
	if err := mkdirs(root, f.pending); err != nil {
		return err
	}
	file, err := root.OpenFile(f.pendingName(up), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return syncDir(root, f.pending)
}

// UploadPart stores a part.
func (f *folderStore) UploadPart(ctx context.Context, up Upload, number int, body []byte) (Part, error) {
	doing := fmt.Sprintf("upload part %d of %s", number, up.Key)
	if err := validNumber(number); err != nil {
		return Part{}, fmt.Errorf("%s: %w", doing, err)
	}
	offset, err := f.uploadPart(ctx, up, body)
	if err != nil {
		return Part{}, writeError(doing, err)
	}
	e := extent{offset: offset, hash: etagOf(body)}
	return Part{Number: number, ETag: e.etag(), Size: int64(len(body)), CRC32: crc32Of(body)}, nil
}

// uploadPart appends, one at a time: parts may come concurrently. What a
// failed write leaves in the file belongs to no part.
func (f *folderStore) uploadPart(ctx context.Context, up Upload, body []byte) (offset int64, err error) {
	_, file, err := f.openUpload(ctx, up)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := lock(ctx, file); err != nil {
		return 0, err
	}
	offset, err = file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if _, err := file.Write(body); err != nil {
		return 0, err
	}
	return offset, file.Sync()
}

// openUpload fails with ErrNoUpload where the upload is gone.
func (f *folderStore) openUpload(ctx context.Context, up Upload) (*os.Root, *os.File, error) {
	root, err := f.beginUpload(ctx, up, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, ErrNoUpload
	}
	if err != nil {
		return nil, nil, err
	}
	file, _, err := openRegular(root, f.pendingName(up), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return root, nil, ErrNoUpload
	}
	return root, file, err
}

// CompleteUpload publishes an upload.
func (f *folderStore) CompleteUpload(ctx context.Context, up Upload, parts []Part) error {
	doing := "complete upload " + up.Key
	if _, err := validParts(parts); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	extents := make([]extent, len(parts))
	for i, part := range parts {
		var err error
		if extents[i], err = parseExtent(part); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	root, file, err := f.openUpload(ctx, up)
	if err == nil {
		err = errors.Join(f.complete(ctx, root, up, file, extents), file.Close())
	}
	if (errors.Is(err, ErrNoUpload) || errors.Is(err, ErrBadUpload)) && root != nil {
		// Gone or damaged, perhaps when it was completed before: then the object
		// at the key holds the parts' bytes.
		same, readErr := holds(root, up.Key, extents)
		if same {
			return nil
		}
		if readErr != nil {
			err = readErr // what stands there is not known
		}
	}
	if err != nil {
		return writeError(doing, err)
	}
	return nil
}

// complete fails with ErrNoUpload where the upload goes meanwhile.
func (f *folderStore) complete(ctx context.Context, root *os.Root, up Upload, file *os.File, extents []extent) (err error) {
	if err := verify(file, extents); err != nil {
		return err
	}
	whole, err := inOrder(file, extents)
	if err != nil {
		return err
	}
	pending := f.pendingName(up)
	source := &temp{File: file, root: root, name: pending}
	if !whole {
		if source, err = f.assemble(root, file, extents); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, source.drop()) }()
	}
	if err := source.File.Sync(); err != nil {
		return err
	}
	return f.exclusively(ctx, root, func() error {
		ours, err := stands(root, pending, file)
		if err != nil {
			return err
		}
		if !ours {
			return ErrNoUpload
		}
		if _, err := source.seal(); err != nil {
			return err
		}
		// Visible first, then no longer pending: killed in between, it is
		// completed once more.
		if err := publish(root, source.name, up.Key, false); err != nil {
			return err
		}
		if source.name != pending {
			if err := root.Remove(pending); err != nil {
				return err
			}
		}
		return syncDir(root, f.pending)
	})
}

// verify reads every part back: a list of another upload must not publish
// nonsense.
func verify(file io.ReaderAt, extents []extent) error {
	for i, e := range extents {
		hash, err := hashOf(io.NewSectionReader(file, e.offset, e.size))
		if err != nil {
			return err
		}
		if hash != e.hash {
			return fmt.Errorf("%w: part %d of %d is not what was acknowledged", ErrBadUpload, i+1, len(extents))
		}
	}
	return nil
}

// inOrder says whether the parts are the file, from its beginning to its end.
func inOrder(file *os.File, extents []extent) (bool, error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	var end int64
	for _, e := range extents {
		if e.offset != end {
			return false, nil
		}
		end += e.size
	}
	return end == info.Size(), nil
}

// assemble copies the parts into a file of their own.
func (f *folderStore) assemble(root *os.Root, file io.ReaderAt, extents []extent) (*temp, error) {
	t, err := f.temp(root)
	if err != nil {
		return nil, err
	}
	for _, e := range extents {
		if _, err := io.Copy(t, io.NewSectionReader(file, e.offset, e.size)); err != nil {
			return nil, errors.Join(err, t.drop())
		}
	}
	return t, nil
}

// holds says whether the object at a key is these parts, one after the other.
func holds(root *os.Root, key string, extents []extent) (same bool, err error) {
	file, info, err := openObject(root, key)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var end int64
	for _, e := range extents {
		hash, err := hashOf(io.NewSectionReader(file, end, e.size))
		if err != nil || hash != e.hash {
			return false, err
		}
		end += e.size
	}
	return end == info.Size(), nil
}

// AbortUpload drops an upload.
func (f *folderStore) AbortUpload(ctx context.Context, up Upload) error {
	root, err := f.beginUpload(ctx, up, false)
	if err == nil {
		err = f.remove(ctx, root, f.pendingName(up))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return writeError("abort upload "+up.Key, err)
	}
	return nil
}

// PendingUploads looks for files named for the key.
func (f *folderStore) PendingUploads(ctx context.Context, key string) ([]Upload, error) {
	root, err := f.begin(ctx, key, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = readDir(root, f.pending)
	}
	if err != nil {
		return nil, writeError("list uploads "+key, err)
	}
	var pending []Upload
	for _, entry := range entries {
		id, found := strings.CutPrefix(entry.Name(), pendingStem(key))
		id, isUpload := strings.CutSuffix(id, pendingSuffix)
		if found && isUpload && !strings.Contains(id, ".") {
			pending = append(pending, Upload{Key: key, ID: id, Token: id})
		}
	}
	return pending, nil
}
