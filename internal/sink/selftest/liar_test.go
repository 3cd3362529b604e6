package selftest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// liar is a store that does not do what it is asked to: what is set is done in place
// of what the store does.
type liar struct {
	bucket.Store

	put      func(s bucket.Store, key string, body []byte, cond bucket.Condition) (bucket.Info, error)
	get      func(body []byte, info bucket.Info, err error) ([]byte, bucket.Info, error)
	stat     func(info bucket.Info, err error) (bucket.Info, error)
	create   func(bucket.Upload, error) (bucket.Upload, error)
	part     func(s bucket.Store, up bucket.Upload, body []byte)
	complete func(s bucket.Store, up bucket.Upload, parts []bucket.Part) error
	abort    func() error
	remove   func(s bucket.Store, key string) error
	pending  func([]bucket.Upload, error) ([]bucket.Upload, error)
	list     func(info bucket.Info) (bucket.Info, bool)
}

func (l *liar) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	if l.put != nil {
		return l.put(l.Store, key, body, cond)
	}
	return l.Store.Put(ctx, key, body, cond)
}

func (l *liar) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	body, info, err := l.Store.Get(ctx, key)
	if l.get != nil {
		return l.get(body, info, err)
	}
	return body, info, err
}

func (l *liar) Stat(ctx context.Context, key string) (bucket.Info, error) {
	info, err := l.Store.Stat(ctx, key)
	if l.stat != nil {
		return l.stat(info, err)
	}
	return info, err
}

func (l *liar) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	if l.create != nil {
		return l.create(l.Store.CreateUpload(ctx, key))
	}
	return l.Store.CreateUpload(ctx, key)
}

func (l *liar) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	if l.part != nil {
		l.part(l.Store, up, body)
	}
	return l.Store.UploadPart(ctx, up, number, body)
}

func (l *liar) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if l.complete != nil {
		return l.complete(l.Store, up, parts)
	}
	return l.Store.CompleteUpload(ctx, up, parts)
}

func (l *liar) AbortUpload(ctx context.Context, up bucket.Upload) error {
	if l.abort != nil {
		return l.abort()
	}
	return l.Store.AbortUpload(ctx, up)
}

func (l *liar) Delete(ctx context.Context, key string) error {
	if l.remove != nil {
		return l.remove(l.Store, key)
	}
	return l.Store.Delete(ctx, key)
}

func (l *liar) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	if l.pending != nil {
		return l.pending(l.Store.PendingUploads(ctx, key))
	}
	return l.Store.PendingUploads(ctx, key)
}

func (l *liar) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		for info, err := range l.Store.List(ctx, prefix, after) {
			if err == nil && l.list != nil {
				shown, ok := l.list(info)
				if !ok {
					continue
				}
				info = shown
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

var background = context.Background() //nolint:forbidigo // what a liar does takes no time

// ignoring is a store that leaves out what forget takes from a condition.
func ignoring(forget func(*bucket.Condition)) liar {
	return liar{put: func(s bucket.Store, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
		forget(&cond)
		return s.Put(background, key, body, cond)
	}}
}

// lookingFirst is a store that keeps a condition for who comes alone: it looks, and
// then writes.
func lookingFirst(only func(bucket.Condition) bool) liar {
	return liar{put: func(s bucket.Store, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
		if !only(cond) {
			return s.Put(background, key, body, cond)
		}
		info, err := s.Stat(background, key)
		if err == nil && cond.IfNoneMatch || cond.IfMatch != "" && (err != nil || info.ETag != cond.IfMatch) {
			return bucket.Info{}, bucket.ErrPrecondition
		}
		for range 1000 { // the others look, too
			runtime.Gosched()
		}
		return s.Put(background, key, body, bucket.Condition{})
	}}
}

func conditionsAre(err error, also bool) liar {
	return liar{put: func(s bucket.Store, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
		if also || cond != (bucket.Condition{}) {
			return bucket.Info{}, fmt.Errorf("put %s: %w", key, err)
		}
		return s.Put(background, key, body, cond)
	}}
}

// lies are what stores have been seen to do, and what is to be said of it.
func lies() map[string]struct {
	store liar
	says  string
} {
	onlyNew := func(c bucket.Condition) bool { return c.IfNoneMatch }
	onlyMatch := func(c bucket.Condition) bool { return c.IfMatch != "" }
	isUpload := func(key string) bool { return strings.HasPrefix(key, prefix+"_") }
	return map[string]struct {
		store liar
		says  string
	}{
		"ignores If-None-Match":          {ignoring(func(c *bucket.Condition) { c.IfNoneMatch = false }), "If-None-Match is ignored"},
		"ignores If-Match":               {ignoring(func(c *bucket.Condition) { c.IfMatch = "" }), "If-Match is ignored"},
		"looks, then writes what is new": {lookingFirst(onlyNew), "win (If-None-Match"},
		"looks, then replaces":           {lookingFirst(onlyMatch), "win (If-Match"},
		"refuses conditional writes":     {conditionsAre(bucket.ErrUnsupported, false), "refuses conditional writes"},
		"refuses all writes":             {conditionsAre(bucket.ErrUnsupported, true), "AWS_REQUEST_CHECKSUM_CALCULATION=when_required"},
		"lets nobody win":                {conditionsAre(bucket.ErrPrecondition, false), "refused all of 8"},
		"keeps If-Match from winning": {liar{put: func(s bucket.Store, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
			if cond.IfMatch != "" {
				return bucket.Info{}, bucket.ErrPrecondition
			}
			return s.Put(background, key, body, cond)
		}}, "refused all of 4"},
		"takes If-Match for nothing where nothing stands": {liar{put: func(s bucket.Store, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
			if isUpload(key) {
				cond = bucket.Condition{}
			}
			return s.Put(background, key, body, cond)
		}}, "where the one that it was to replace is not"},
		"does not show what was written": {liar{get: func([]byte, bucket.Info, error) ([]byte, bucket.Info, error) {
			return nil, bucket.Info{}, bucket.ErrNotExist
		}}, "does not show an object right after it was written"},
		"shows what was not written": {liar{get: func(_ []byte, info bucket.Info, err error) ([]byte, bucket.Info, error) {
			return []byte("old"), info, err
		}}, "shows another object"},
		"does not tell the time": {liar{get: func(body []byte, info bucket.Info, err error) ([]byte, bucket.Info, error) {
			info.StoreTime = time.Time{}
			return body, info, err
		}}, "Date"},
		"does not date objects": {liar{get: func(body []byte, info bucket.Info, err error) ([]byte, bucket.Info, error) {
			info.Modified = time.Time{}
			return body, info, err
		}}, "Last-Modified"},
		"dates objects by another clock": {liar{get: func(body []byte, info bucket.Info, err error) ([]byte, bucket.Info, error) {
			info.Modified = info.Modified.Add(-time.Hour)
			return body, info, err
		}}, "1h0m0s off its own clock"},
		"refuses multipart uploads": {liar{create: func(bucket.Upload, error) (bucket.Upload, error) {
			return bucket.Upload{}, bucket.ErrUnsupported
		}}, "refuses multipart uploads"},
		"refuses to list uploads": {liar{pending: func([]bucket.Upload, error) ([]bucket.Upload, error) {
			return nil, bucket.ErrUnsupported
		}}, "does not list multipart uploads"},
		"lists no uploads": {liar{pending: func([]bucket.Upload, error) ([]bucket.Upload, error) { return nil, nil }}, "does not list a multipart upload"},
		"lists one upload of two": {liar{pending: func(ups []bucket.Upload, err error) ([]bucket.Upload, error) {
			return ups[:min(1, len(ups))], err
		}}, "does not list a multipart upload"},
		"shows an object before its upload is complete": {liar{part: func(s bucket.Store, up bucket.Upload, body []byte) {
			_, _ = s.Put(background, up.Key, body, bucket.Condition{})
		}}, "shows an object whose multipart upload is not complete"},
		"does not abort": {liar{abort: func() error { return nil }}, "lists a multipart upload that was aborted"},
		"refuses to complete": {liar{complete: func(bucket.Store, bucket.Upload, []bucket.Part) error {
			return bucket.ErrUnsupported
		}}, "refuses to complete"},
		"says that it completed": {liar{complete: func(bucket.Store, bucket.Upload, []bucket.Part) error { return nil }}, "does not show an object right after its multipart"},
		"has lost the upload": {liar{complete: func(s bucket.Store, up bucket.Upload, _ []bucket.Part) error {
			return errors.Join(bucket.ErrNoUpload, s.AbortUpload(background, up))
		}}, "lost a multipart upload"},
		"forgets the metadata": {liar{complete: func(s bucket.Store, up bucket.Upload, parts []bucket.Part) error {
			return errors.Join(bucket.ErrNoUpload, s.CompleteUpload(background, up, parts))
		}}, "metadata"},
		"completes to other bytes": {liar{complete: func(s bucket.Store, up bucket.Upload, _ []bucket.Part) error {
			_, err := s.Put(background, up.Key, []byte("0;chunk-signature=…"), bucket.Condition{})
			return errors.Join(err, s.AbortUpload(background, up))
		}}, "made an object of"},
		"tells another size": {liar{stat: func(info bucket.Info, err error) (bucket.Info, error) {
			info.Size++
			return info, err
		}}, "tells a size of"},
		"lists another size": {liar{list: func(info bucket.Info) (bucket.Info, bool) {
			info.Size = 0
			return info, true
		}}, "in listings of 0"},
		"does not list what is there": {liar{list: func(info bucket.Info) (bucket.Info, bool) { return info, false }}, "does not list an object"},
		"shows what was deleted":      {liar{remove: func(bucket.Store, string) error { return nil }}, "shows an object that was deleted"},
	}
}
