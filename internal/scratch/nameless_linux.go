package scratch

import (
	"os"

	"golang.org/x/sys/unix"
)

// nameless opens a file that never has a name (open(2), O_TMPFILE), nil where the
// file system has none.
func nameless(dir string) *os.File {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), dir+"/(nameless)")
}
