package bucket_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
)

const pendingDir = "_syncer/nightly/pending"

// files lists every file below a folder, those that the store hides too.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustPut(t *testing.T, s bucket.Store, key, body string) {
	t.Helper()
	if _, err := s.Put(t.Context(), key, []byte(body), bucket.Condition{}); err != nil {
		t.Fatal(err)
	}
}

func wantGet(t *testing.T, s bucket.Store, key string, want []byte) {
	t.Helper()
	got, _, err := s.Get(t.Context(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("Get(%s) = %d bytes, %v, want %d", key, len(got), err, len(want))
	}
}

func TestFolderIsCreatedByTheFirstWriteOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lake")
	s := openFolder(t, dir)
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("Stat = %v, want ErrNotExist", err)
	}
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Errorf("Delete = %v", err)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("List yields %v, %v", info, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("reading created the folder: %v", err)
	}
	mustPut(t, s, "a/b", "x")
	if diff := cmp.Diff([]string{pendingDir + "/.lock", "a/b"}, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("the folder's mode is %v, %v: others can read it", info.Mode(), err)
	}
}

func TestFolderListsWhatOthersPutThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	write(t, filepath.Join(dir, "readme.txt"), "by hand")
	write(t, filepath.Join(dir, pendingDir, "forgotten.parquet"), "by hand")
	write(t, filepath.Join(dir, ".hidden"), "by hand")
	if _, err := s.CreateUpload(t.Context(), "t/k"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Key)
	}
	if diff := cmp.Diff([]string{pendingDir + "/forgotten.parquet", "readme.txt"}, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

func TestFolderSweepsTheFilesOfDeadWritersOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dead := filepath.Join(dir, pendingDir, ".DEAD.tmp")
	alive := filepath.Join(dir, pendingDir, ".ALIVE.tmp")
	upload := filepath.Join(dir, pendingDir, ".k.ID.pending")
	for _, path := range []string{dead, alive, upload} {
		write(t, path, "half")
	}
	writer, err := os.Open(alive)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close() //nolint:errcheck // only locked
	if err := syscall.Flock(int(writer.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	openFolder(t, dir)
	if diff := cmp.Diff([]string{pendingDir + "/.ALIVE.tmp", pendingDir + "/.k.ID.pending"}, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestFolderPublishesByRenamingWhereItCan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	first, last := bytes.Repeat([]byte("1"), bucket.MinPart), []byte("2")
	for name, order := range map[string][]int{"in order": {1, 2}, "backwards": {2, 1}} {
		up, err := s.CreateUpload(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		parts := make([]bucket.Part, 2)
		for _, number := range order {
			if parts[number-1], err = s.UploadPart(t.Context(), up, number, [][]byte{first, last}[number-1]); err != nil {
				t.Fatal(err)
			}
		}
		pending, err := filepath.Glob(filepath.Join(dir, pendingDir, ".*.pending"))
		if err != nil || len(pending) != 1 {
			t.Fatalf("pending files: %v, %v", pending, err)
		}
		before, err := os.Stat(pending[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CompleteUpload(t.Context(), up, parts); err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if renamed := os.SameFile(before, after); renamed != (name == "in order") {
			t.Errorf("%s: renamed = %v", name, renamed)
		}
		wantGet(t, s, name, slices.Concat(first, last))
	}
	if diff := cmp.Diff([]string{pendingDir + "/.lock", "backwards", "in order"}, files(t, dir)); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
}

// An upload that had to be assembled is published and then dropped; killed in
// between, it is found as if it had never been published.
func TestFolderCompletesAgainAfterDyingBetweenPublishAndDrop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	first, last := bytes.Repeat([]byte("1"), bucket.MinPart), []byte("2")
	up, err := s.CreateUpload(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.UploadPart(t.Context(), up, 2, last)
	if err != nil {
		t.Fatal(err)
	}
	one, err := s.UploadPart(t.Context(), up, 1, first)
	if err != nil {
		t.Fatal(err)
	}
	pending := filepath.Join(dir, pendingDir, ".k."+up.ID+".pending")
	saved := filepath.Join(dir, ".saved")
	if err := os.Link(pending, saved); err != nil {
		t.Fatal(err)
	}
	if err := s.CompleteUpload(t.Context(), up, []bucket.Part{one, two}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(saved, pending); err != nil {
		t.Fatal(err)
	}
	s = openFolder(t, dir)
	if err := s.CompleteUpload(t.Context(), up, []bucket.Part{one, two}); err != nil {
		t.Fatal(err)
	}
	wantGet(t, s, "k", slices.Concat(first, last))
	if diff := cmp.Diff([]string{pendingDir + "/.lock", "k"}, files(t, dir)); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
}

// TestFolderTellsADamagedUploadFromOneThatIsComplete: what stands at the key settles it,
// whatever has become of the parts.
func TestFolderTellsADamagedUploadFromOneThatIsComplete(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("row"), 100)
	for name, damage := range map[string]func([]byte) []byte{
		"a bit":     func(b []byte) []byte { b[7] ^= 1; return b },
		"its end":   func(b []byte) []byte { return b[:len(b)-1] },
		"all of it": func([]byte) []byte { return nil },
	} {
		dir := t.TempDir()
		s := openFolder(t, dir)
		up, err := s.CreateUpload(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		part, err := s.UploadPart(t.Context(), up, 1, body)
		if err != nil {
			t.Fatal(err)
		}
		damaged := string(damage(bytes.Clone(body)))
		write(t, filepath.Join(dir, pendingDir, ".k."+up.ID+".pending"), damaged)
		for range 2 {
			if err := s.CompleteUpload(t.Context(), up, []bucket.Part{part}); !errors.Is(err, bucket.ErrBadUpload) || errors.Is(err, bucket.ErrNoUpload) {
				t.Errorf("%s is damaged: %v", name, err)
			}
		}
		if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("%s is damaged, and it is visible: %v", name, err)
		}
		mustPut(t, s, "k", string(body))
		if err := s.CompleteUpload(t.Context(), up, []bucket.Part{part}); err != nil {
			t.Errorf("%s is damaged, and it was complete before: %v", name, err)
		}
	}
}

func TestFolderHoldsUploadsWithKeysLongerThanAFileName(t *testing.T) {
	t.Parallel()
	s := openFolder(t, t.TempDir())
	key := strings.Repeat("long/", 60) + "k.parquet"
	up, err := s.CreateUpload(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := s.PendingUploads(t.Context(), key)
	if diff := cmp.Diff([]bucket.Upload{up}, pending); err != nil || diff != "" {
		t.Errorf("pending, %v (-want +got):\n%s", err, diff)
	}
	if pending, err := s.PendingUploads(t.Context(), key+"2"); err != nil || pending != nil {
		t.Errorf("PendingUploads of another key = %v, %v", pending, err)
	}
}

func TestFolderRefusesAnObjectBelowAnObject(t *testing.T) {
	t.Parallel()
	s := openFolder(t, t.TempDir())
	mustPut(t, s, "a", "object")
	mustPut(t, s, "b/c", "object")
	for _, key := range []string{"a/below", "b"} {
		for _, cond := range []bucket.Condition{{}, {IfNoneMatch: true}} {
			if _, err := s.Put(t.Context(), key, nil, cond); err == nil || errors.Is(err, bucket.ErrPrecondition) {
				t.Errorf("Put(%s) = %v, want that it cannot be", key, err)
			}
		}
		if _, _, err := s.Get(t.Context(), key); !errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("Get(%s) = %v, want ErrNotExist", key, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%s) = %v", key, err)
		}
	}
	wantGet(t, s, "a", []byte("object"))
	wantGet(t, s, "b/c", []byte("object"))
}

func TestFolderStaysWithinItsRoot(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "not ours")
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s := openFolder(t, dir)
	if body, _, err := s.Get(t.Context(), "link/secret"); err == nil {
		t.Errorf("Get followed a link out of the folder: %q", body)
	}
	if _, err := s.Put(t.Context(), "link/new", nil, bucket.Condition{}); err == nil {
		t.Error("Put followed a link out of the folder")
	}
}

func TestFolderThatIsAFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "")
	if _, err := bucket.Open(t.Context(), "file://"+path, bucket.Options{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("Open = %v, want not a directory", err)
	}
	if _, err := bucket.Open(t.Context(), "file://"+path, bucket.Options{Pending: "../up"}); err == nil {
		t.Error("a pending folder outside was accepted")
	}
}

// Leases compare an object's age with the store's clock, and their tests run
// on a false one: both times must come from it.
func TestFolderTimesComeFromOneClock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openFolder(t, dir)
		start := time.Now().UTC()
		mustPut(t, s, "lease", "mine")
		time.Sleep(61 * time.Second)
		info, err := s.Stat(t.Context(), "lease")
		if err != nil {
			t.Fatal(err)
		}
		if !info.Modified.Equal(start) || info.StoreTime.Sub(info.Modified) != 61*time.Second {
			t.Errorf("written %v, read %v, says modified %v at %v", start, time.Now(), info.Modified, info.StoreTime)
		}
	})
}
