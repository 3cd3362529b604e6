package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// defaultPending is where a folder keeps its private files unless told.
const defaultPending = "_syncer/pending"

const (
	dirMode  = 0o750
	fileMode = 0o640
)

// folderStore keeps objects as files. An object is written to a private file,
// synced, and then linked or renamed to its key, so that nobody sees half of
// one and a power cut takes nothing back that was acknowledged.
//
// Its private files all begin with a dot, which keys never do:
//
//	<pending>/.lock               held while anything becomes visible or goes
//	<pending>/.<random>.tmp       an object that is being written; flocked by its writer
//	<pending>/.<key>.<id>.pending an upload: its parts in the order in which they came
//
// The time of an object is set from this process' clock before it becomes
// visible: file systems keep their own, coarser one, and leases compare the
// two.
type folderStore struct {
	path    string
	pending string
	logger  *slog.Logger
	most    func(key string) int64 // bytes that Get reads

	gate chan struct{} // spares the goroutines of this process polling for .lock

	mu   sync.Mutex
	root *os.Root // nil until the folder exists
}

func openFolder(dir string, opts Options) (*folderStore, error) {
	f := &folderStore{path: dir, pending: defaultPending, logger: opts.Logger, most: opts.most, gate: make(chan struct{}, 1)}
	if opts.Pending != "" {
		f.pending = opts.Pending
	}
	if err := ValidKey(f.pending); err != nil {
		return nil, fmt.Errorf("open folder %s: pending: %w", dir, err)
	}
	root, err := f.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, writeError("open folder "+dir, err)
	}
	f.sweep(root)
	return f, nil
}

// open returns the root, after creating it where that is asked for.
func (f *folderStore) open(create bool) (*os.Root, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.root != nil {
		return f.root, nil
	}
	if create {
		if err := os.MkdirAll(f.path, dirMode); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, err
	}
	if create {
		if err := mkdirs(root, f.pending); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	f.root = root
	return root, nil
}

// begin starts an operation on a key.
func (f *folderStore) begin(ctx context.Context, key string, create bool) (*os.Root, error) {
	if err := ValidKey(key); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.open(create)
}

// String is the folder's URL.
func (f *folderStore) String() string {
	return "file://" + filepath.ToSlash(f.path)
}

// mkdirs creates a directory and those above it, and syncs what it created.
func mkdirs(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	info, err := root.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := path.Dir(dir)
	if err := mkdirs(root, parent); err != nil {
		return err
	}
	if err := root.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(root, parent)
}

// syncDir makes the entries of a directory durable.
func syncDir(root *os.Root, dir string) error {
	d, err := openDir(root, dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openDir opens a directory, and nothing else.
func openDir(root *os.Root, dir string) (*os.File, error) {
	return root.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
}

// openRegular opens a file that is no link, pipe, device or socket: opening one of
// these may block for ever, or do what nobody wants. It fails with fs.ErrNotExist on a
// directory, at which no object can be.
func openRegular(root *os.Root, name string, flag int) (*os.File, fs.FileInfo, error) {
	info, err := root.Lstat(name)
	if err == nil {
		err = regular(name, info.Mode())
	}
	if err != nil {
		return nil, nil, err
	}
	file, err := root.OpenFile(name, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err = file.Stat() // it may have been exchanged
	if err == nil {
		err = regular(name, info.Mode())
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// errNoFile says that something stands where a file should that is none.
var errNoFile = errors.New("a store has files and folders only: remove it")

// regular says why what has this mode is no object.
func regular(name string, mode fs.FileMode) error {
	what := "special file"
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case mode&fs.ModeSymlink != 0:
		what = "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		what = "named pipe"
	case mode&fs.ModeSocket != 0:
		what = "socket"
	case mode&fs.ModeDevice != 0:
		what = "device"
	}
	return fmt.Errorf("%s is a %s, and %w", name, what, errNoFile)
}

// openObject opens a file that is an object: not a directory, and not below
// another object.
func openObject(root *os.Root, key string) (*os.File, fs.FileInfo, error) {
	return openRegular(root, key, os.O_RDONLY)
}

// hashOf is the ETag of a content: that of the same bytes is the same
// wherever and whenever they were written.
func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func folderInfo(key string, file fs.FileInfo, etag string) Info {
	return Info{Key: key, Size: file.Size(), ETag: etag, Modified: file.ModTime().UTC(), StoreTime: time.Now().UTC()}
}

// readError gives what the system says about reading a meaning.
func readError(doing string, err error) error {
	if absent(err) {
		return fmt.Errorf("%s: %w", doing, ErrNotExist)
	}
	return writeError(doing, err)
}

// writeError does so for writing, where something absent is no answer.
func writeError(doing string, err error) error {
	if errors.Is(err, errNoFile) {
		return denied("%s: %s", doing, err)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%s: %w: %w", doing, ErrDenied, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// absent says whether there is no object, be it because one stands where its
// folder would.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
