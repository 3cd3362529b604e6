package bucket

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"finoos-syncer/internal/wait"
)

const tempSuffix = ".tmp"

// lockPoll bounds how long a free lock goes unnoticed.
const lockPoll = 20 * time.Millisecond

// exclusively runs fn while no other process or goroutine changes what is
// visible in this folder.
func (f *folderStore) exclusively(ctx context.Context, root *os.Root, fn func() error) error {
	select {
	case f.gate <- struct{}{}:
		defer func() { <-f.gate }()
	case <-ctx.Done():
		return ctx.Err()
	}
	name := f.pending + "/.lock"
	for {
		if err := mkdirs(root, f.pending); err != nil {
			return err
		}
		file, err := openLock(root, name)
		if err != nil {
			return err
		}
		if err := lock(ctx, file); err != nil {
			return errors.Join(err, file.Close())
		}
		ours, err := stands(root, name, file)
		if ours {
			err = fn()
		}
		// Where it is not ours, somebody removed the file while we waited:
		// what we hold is a lock that nobody else will ask for.
		if err := errors.Join(err, file.Close()); ours || err != nil {
			return err
		}
	}
}

func openLock(root *os.Root, name string) (*os.File, error) {
	if info, err := root.Lstat(name); err == nil {
		if err := regular(name, info.Mode()); err != nil {
			return nil, err
		}
	}
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK, fileMode)
}

// lock waits for a file's exclusive lock. Closing the file, or the end of the
// process, releases it. Polling keeps it cancellable; it is held for moments.
func lock(ctx context.Context, file *os.File) error {
	for pause := time.Millisecond; ; pause = min(2*pause, lockPoll) {
		held, err := tryLock(file)
		if held || err != nil {
			return err
		}
		if wait.For(ctx, pause) != nil {
			return ctx.Err()
		}
	}
}

// tryLock takes a file's exclusive lock unless somebody has it.
func tryLock(file *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, &fs.PathError{Op: "flock", Path: file.Name(), Err: err}
		}
	}
}

// stands says whether a name still means this file.
func stands(root *os.Root, name string, file *os.File) (bool, error) {
	there, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	here, err := file.Stat()
	return err == nil && os.SameFile(there, here), err
}

// temp is a private file on its way to becoming an object. It is locked for
// as long as it is open: that is how sweep knows it from one that a killed
// process left.
type temp struct {
	*os.File

	root *os.Root
	name string
}

func (f *folderStore) temp(root *os.Root) (*temp, error) {
	for {
		name := f.pending + "/." + rand.Text() + tempSuffix
		file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrNotExist) {
			if err := mkdirs(root, f.pending); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		held, err := tryLock(file)
		if held {
			held, err = stands(root, name, file)
		}
		if held {
			return &temp{File: file, root: root, name: name}, nil
		}
		// A sweep came between creating and locking it.
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// seal makes the content durable, dated now.
func (t *temp) seal() (fs.FileInfo, error) {
	now := time.Now()
	if err := t.root.Chtimes(t.name, now, now); err != nil {
		return nil, err
	}
	if err := t.Sync(); err != nil {
		return nil, err
	}
	return t.Stat()
}

// drop removes the private name, if there still is one.
func (t *temp) drop() error {
	err := t.root.Remove(t.name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, t.Close())
}

// sweep removes the private files of processes that are gone. Uploads stay:
// a commit may name them. It only tidies up, and so fails nothing: the folder
// may be one that we can only read.
func (f *folderStore) sweep(root *os.Root) {
	entries, err := readDir(root, f.pending)
	if err != nil {
		f.logger.Warn("cannot look for files that killed processes left", "error", err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), tempSuffix) {
			continue
		}
		name := f.pending + "/" + entry.Name()
		removed, err := removeUnlocked(root, name)
		if err != nil {
			f.logger.Warn("cannot remove a file that a killed process left", "file", name, "error", err)
		}
		if removed {
			f.logger.Info("removed a file that a killed process left", "file", name)
		}
	}
}

func removeUnlocked(root *os.Root, name string) (bool, error) {
	file, _, err := openRegular(root, name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	removed, err := tryLock(file)
	if removed {
		err = root.Remove(name)
		if errors.Is(err, fs.ErrNotExist) { // published meanwhile
			removed, err = false, nil
		}
	}
	return removed, errors.Join(err, file.Close())
}

// readDir lists a directory; an absent one is empty.
func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	d, err := openDir(root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	return entries, errors.Join(err, d.Close())
}
