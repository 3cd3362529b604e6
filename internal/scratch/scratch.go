// Package scratch makes files for what does not fit into memory: files without a
// name, so that not even a killed process leaves one behind.
package scratch

import (
	"cmp"
	"errors"
	"fmt"
	"os"
)

// File opens a new file without a name in a folder, "" for the system's, readable
// by nobody else. It is gone when it is closed. Where the system makes no such
// files, it has a name that begins with pattern for a moment.
func File(dir, pattern string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	if f := nameless(dir); f != nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, pattern+"-*")
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("scratch file: %w", errors.Join(err, f.Close()))
	}
	return f, nil
}

// Try writes to the folder and reads it back, so that one which cannot serve is
// told before it is needed. Its error names the folder.
func Try(dir string) error {
	f, err := File(dir, "syncer-try")
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("try"), 0)
	if err == nil {
		_, err = f.ReadAt(make([]byte, 3), 0)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("scratch file in %s: %w", cmp.Or(dir, os.TempDir()), err)
	}
	return nil
}
