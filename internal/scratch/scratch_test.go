package scratch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileHasNoNameAndKeepsWhatIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := File(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // closed by the test
	if _, err := f.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
	if info, err := f.Stat(); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestAFolderThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "nowhere")
	if _, err := File(dir, "test"); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

func TestAFolderIsTriedBeforeItIsNeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Try(dir); err != nil {
		t.Error(err)
	}
	for what, dir := range map[string]string{"nowhere": filepath.Join(dir, "nowhere"), "a file": "/etc/hostname", "not writable": "/proc"} {
		if err := Try(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
