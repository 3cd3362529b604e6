package bucket

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Get reads a whole object.
func (f *folderStore) Get(ctx context.Context, key string) (body []byte, info Info, err error) {
	root, err := f.begin(ctx, key, false)
	if err != nil {
		return nil, Info{}, readError("get "+key, err)
	}
	file, stat, err := openObject(root, key)
	if err != nil {
		return nil, Info{}, readError("get "+key, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	body, err = readCapped(file, f.most(key))
	if err != nil {
		return nil, Info{}, readError("get "+key, err)
	}
	return body, folderInfo(key, stat, etagOf(body)), nil
}

// Put writes a whole object.
func (f *folderStore) Put(ctx context.Context, key string, body []byte, cond Condition) (Info, error) {
	info, err := f.put(ctx, key, body, cond)
	if err != nil {
		return Info{}, writeError("put "+key, err)
	}
	return info, nil
}

func (f *folderStore) put(ctx context.Context, key string, body []byte, cond Condition) (info Info, err error) {
	root, err := f.begin(ctx, key, true)
	if err != nil {
		return Info{}, err
	}
	t, err := f.temp(root)
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, t.drop()) }()
	if _, err := t.Write(body); err != nil {
		return Info{}, err
	}
	stat, err := t.seal()
	if err != nil {
		return Info{}, err
	}
	err = f.exclusively(ctx, root, func() error {
		if err := met(root, key, cond); err != nil {
			return err
		}
		return publish(root, t.name, key, cond.IfNoneMatch)
	})
	if err != nil {
		return Info{}, err
	}
	return folderInfo(key, stat, etagOf(body)), nil
}

// met checks an If-Match; the link that publishes decides an If-None-Match.
func met(root *os.Root, key string, cond Condition) error {
	if cond.IfMatch == "" {
		return nil
	}
	file, _, err := openObject(root, key)
	if absent(err) {
		return ErrPrecondition
	}
	if err != nil {
		return err
	}
	etag, err := hashOf(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if etag != cond.IfMatch {
		return ErrPrecondition
	}
	return nil
}

// publish gives a sealed file its key. The caller holds the lock.
func publish(root *os.Root, name, key string, onlyNew bool) error {
	dir := path.Dir(key)
	if err := mkdirs(root, dir); err != nil {
		return err
	}
	if info, err := root.Lstat(key); err == nil {
		if info.IsDir() {
			return &fs.PathError{Op: "publish", Path: key, Err: syscall.EISDIR}
		}
		if err := regular(key, info.Mode()); err != nil {
			return err
		}
	}
	// A link fails where the name exists, also for those who do not know of
	// our lock; a rename replaces.
	move := root.Rename
	if onlyNew {
		move = root.Link
	}
	err := move(name, key)
	if onlyNew && errors.Is(err, fs.ErrExist) {
		// Over NFS, a link whose answer was lost is asked for again, and finds itself.
		if same, err := sameFile(root, name, key); err != nil || !same {
			return errors.Join(ErrPrecondition, err)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	return syncDir(root, dir)
}

// sameFile says whether two names are one file.
func sameFile(root *os.Root, a, b string) (bool, error) {
	one, err := root.Lstat(a)
	if err != nil {
		return false, err
	}
	other, err := root.Lstat(b)
	return err == nil && os.SameFile(one, other), err
}

// Stat describes an object, reading it for its ETag.
func (f *folderStore) Stat(ctx context.Context, key string) (info Info, err error) {
	root, err := f.begin(ctx, key, false)
	if err != nil {
		return Info{}, readError("stat "+key, err)
	}
	file, stat, err := openObject(root, key)
	if err != nil {
		return Info{}, readError("stat "+key, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	etag, err := hashOf(file)
	if err != nil {
		return Info{}, readError("stat "+key, err)
	}
	return folderInfo(key, stat, etag), nil
}

// Delete removes an object.
func (f *folderStore) Delete(ctx context.Context, key string) error {
	root, err := f.begin(ctx, key, false)
	if err == nil {
		err = f.remove(ctx, root, key)
	}
	if err == nil || absent(err) {
		return nil
	}
	return writeError("delete "+key, err)
}

func (f *folderStore) remove(ctx context.Context, root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	return f.exclusively(ctx, root, func() error {
		if err := root.Remove(name); err != nil {
			return err
		}
		return syncDir(root, path.Dir(name))
	})
}

// List walks the folder in the order of keys.
func (f *folderStore) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		root, err := f.open(false)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err == nil {
			w := walk{root: root, prefix: prefix, after: after, yield: yield}
			_, err = w.dir(ctx, "")
		}
		if err != nil {
			yield(Info{}, writeError("list "+prefix, err))
		}
	}
}

// walk is one listing under way.
type walk struct {
	root          *os.Root
	prefix, after string
	yield         func(Info, error) bool
}

// dir walks a directory, "" or "a/b/", and says whether to go on.
func (w *walk) dir(ctx context.Context, dir string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	entries, err := readDir(w.root, path.Clean("./"+dir))
	if err != nil {
		return false, err
	}
	for _, entry := range inKeyOrder(entries) {
		more, err := w.entry(ctx, dir, entry)
		if !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (w *walk) entry(ctx context.Context, dir string, entry fs.DirEntry) (bool, error) {
	key := dir + entry.Name()
	switch {
	case strings.HasPrefix(entry.Name(), "."):
		return true, nil
	case entry.IsDir():
		key += "/"
		within := strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)
		if !within || key < w.after && !strings.HasPrefix(w.after, key) {
			return true, nil
		}
		return w.dir(ctx, key)
	case !entry.Type().IsRegular() && (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key+"/")):
		return false, regular(key, entry.Type()) // what is behind it cannot be told
	case !entry.Type().IsRegular() || !strings.HasPrefix(key, w.prefix) || key <= w.after:
		return true, nil
	}
	stat, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) { // deleted while we walk
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return w.yield(Info{Key: key, Size: stat.Size(), Modified: stat.ModTime().UTC()}, nil), nil
}

// inKeyOrder sorts entries as their keys sort: what is in folder "a" comes
// as "a/…", hence after "a-b" and before "a0".
func inKeyOrder(entries []fs.DirEntry) []fs.DirEntry {
	full := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(full(a), full(b)) })
	return entries
}

// Open opens an object for reading at random. What is replaced later is a
// file of its own: this one goes on reading what it found.
func (f *folderStore) Open(ctx context.Context, key string) (Reader, error) {
	root, err := f.begin(ctx, key, false)
	if err != nil {
		return nil, readError("open object "+key, err)
	}
	file, stat, err := openObject(root, key)
	if err != nil {
		return nil, readError("open object "+key, err)
	}
	return &folderReader{ReaderAt: file, Closer: file, size: stat.Size()}, nil
}

type folderReader struct {
	io.ReaderAt
	io.Closer

	size int64
}

// Size is the object's size.
func (r *folderReader) Size() int64 { return r.size }
