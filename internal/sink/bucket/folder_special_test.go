package bucket_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// inTime fails where something blocks.
func inTime(t *testing.T, what string, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("%s blocks", what)
		return nil
	}
}

// specials are what can stand where a file should.
func specials(t *testing.T) map[string]func(path string) error {
	t.Helper()
	kinds := map[string]func(path string) error{
		"named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"socket": func(path string) error {
			return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0)
		},
		"symbolic link": func(path string) error {
			if err := syscall.Mkfifo(path+".pipe", 0o600); err != nil { // one that would block who followed it
				return err
			}
			return os.Symlink(filepath.Base(path)+".pipe", path)
		},
		"device": func(path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|3) }, // null
	}
	if err := kinds["device"](filepath.Join(t.TempDir(), "null")); errors.Is(err, os.ErrPermission) {
		delete(kinds, "device") // there is the one of TestADeviceIsNamedAndNotRead
	}
	return kinds
}

func TestADeviceIsNamedAndNotRead(t *testing.T) {
	t.Parallel()
	s := openFolder(t, "/dev")
	for what, do := range map[string]func() error{
		"Get":  func() error { _, _, err := s.Get(t.Context(), "zero"); return err },
		"Open": func() error { _, err := s.Open(t.Context(), "zero"); return err },
		"Stat": func() error { _, err := s.Stat(t.Context(), "zero"); return err },
	} {
		if err := inTime(t, what, do); !errors.Is(err, bucket.ErrDenied) || !strings.Contains(err.Error(), "zero is a device") {
			t.Errorf("%s = %v, want that zero is a device", what, err)
		}
	}
}

func TestWhatIsNoFileIsNamedAndNeverBlocks(t *testing.T) {
	t.Parallel()
	for kind := range specials(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openFolder(t, dir)
			ctx := t.Context()
			if _, err := s.Put(ctx, "a/b", []byte("x"), bucket.Condition{}); err != nil {
				t.Fatal(err)
			}
			if err := specials(t)[kind](filepath.Join(dir, "a", "odd")); err != nil {
				t.Fatal(err)
			}
			up, err := s.CreateUpload(ctx, "a/odd")
			if err != nil {
				t.Fatal(err)
			}
			part, err := s.UploadPart(ctx, up, 1, []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			for what, do := range map[string]func() error{
				"Get":  func() error { _, _, err := s.Get(ctx, "a/odd"); return err },
				"Open": func() error { _, err := s.Open(ctx, "a/odd"); return err },
				"Stat": func() error { _, err := s.Stat(ctx, "a/odd"); return err },
				"Put":  func() error { _, err := s.Put(ctx, "a/odd", []byte("x"), bucket.Condition{}); return err },
				"Put, if none stands": func() error {
					_, err := s.Put(ctx, "a/odd", []byte("x"), bucket.Condition{IfNoneMatch: true})
					return err
				},
				"Put over a version": func() error { _, err := s.Put(ctx, "a/odd", []byte("x"), bucket.Condition{IfMatch: "e"}); return err },
				"CompleteUpload":     func() error { return s.CompleteUpload(ctx, up, []bucket.Part{part}) },
				"List": func() error {
					for _, err := range s.List(ctx, "a/", "") {
						if err != nil {
							return err
						}
					}
					return nil
				},
			} {
				err := inTime(t, what, do)
				if !errors.Is(err, bucket.ErrDenied) || !strings.Contains(err.Error(), "a/odd is a "+kind) {
					t.Errorf("%s = %v, want that a/odd is a %s", what, err, kind)
				}
			}
			for _, err := range s.List(ctx, "c/", "") {
				t.Errorf("what is elsewhere is looked at: %v", err)
			}
			if err := inTime(t, "Delete", func() error { return s.Delete(ctx, "a/odd") }); err != nil {
				t.Errorf("Delete = %v", err)
			}
			if err := s.CompleteUpload(ctx, up, []bucket.Part{part}); err != nil {
				t.Errorf("it is gone, and CompleteUpload = %v", err)
			}
		})
	}
}

func TestPrivateFilesThatAreNoneNeverBlock(t *testing.T) {
	t.Parallel()
	for what, name := range map[string]string{"the lock": ".lock", "a file on its way": ".x.tmp", "an upload": ".a%2Fb.X.pending"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			private := filepath.Join(dir, "_syncer", "nightly", "pending")
			if err := os.MkdirAll(private, 0o750); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(filepath.Join(private, name), 0o600); err != nil {
				t.Fatal(err)
			}
			err := inTime(t, "opening and writing", func() error {
				s := openFolder(t, dir)
				_, err := s.Put(t.Context(), "a/b", []byte("x"), bucket.Condition{})
				up := bucket.Upload{Key: "a/b", ID: "X", Token: "X"}
				_, partErr := s.UploadPart(t.Context(), up, 1, []byte("x"))
				checkErr := bucket.CheckUpload(t.Context(), s, up, nil)
				if strings.HasSuffix(name, ".pending") && (!errors.Is(partErr, bucket.ErrDenied) || !errors.Is(checkErr, bucket.ErrDenied)) {
					t.Errorf("UploadPart = %v, CheckUpload = %v, want that it is a pipe", partErr, checkErr)
				}
				return err
			})
			if wrong := name == ".lock"; wrong != errors.Is(err, bucket.ErrDenied) || wrong != (err != nil) {
				t.Errorf("Put = %v", err)
			}
		})
	}
}

// A folder of folders is read as an object store is: no object is at the key.
func TestAFolderInPlaceOfAnObjectIsNoObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	if err := os.MkdirAll(filepath.Join(dir, "log", "1.json"), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "log/1.json"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("Get = %v", err)
	}
	for _, cond := range []bucket.Condition{{}, {IfNoneMatch: true}} {
		_, err := s.Put(t.Context(), "log/1.json", []byte("x"), cond)
		if err == nil || errors.Is(err, bucket.ErrPrecondition) || !strings.Contains(err.Error(), "log/1.json: is a directory") {
			t.Errorf("Put = %v, want what is there", err)
		}
	}
}
