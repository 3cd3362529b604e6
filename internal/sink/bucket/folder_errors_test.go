package bucket

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

// A test that runs as root is denied nothing, hence this one.
func TestFolderErrorsHaveAMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		errno       syscall.Errno
		read, write error
	}{
		{syscall.EACCES, ErrDenied, ErrDenied},
		{syscall.EPERM, ErrDenied, ErrDenied},
		{syscall.EROFS, ErrDenied, ErrDenied},
		{syscall.ENOENT, ErrNotExist, nil},
		{syscall.ENOTDIR, ErrNotExist, nil},
		{syscall.ENOSPC, nil, nil},
		{syscall.EIO, nil, nil},
	} {
		err := fmt.Errorf("wrapped: %w", &fs.PathError{Op: "open", Path: "k", Err: c.errno})
		for _, kind := range []error{ErrDenied, ErrNotExist} {
			if got := errors.Is(readError("get k", err), kind); got != (kind == c.read) { //nolint:errorlint // identity is the point
				t.Errorf("reading with %v is %v: %v", c.errno, kind, got)
			}
			if got := errors.Is(writeError("put k", err), kind); got != (kind == c.write) { //nolint:errorlint // identity is the point
				t.Errorf("writing with %v is %v: %v", c.errno, kind, got)
			}
		}
	}
}
