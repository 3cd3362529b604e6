//go:build crashpoints

package crashpoints

import (
	"context"
	"iter"
	"os"

	"finoos-syncer/internal/sink/bucket"
)

// Wrap puts a store under a plan. Each operation is written to trace before it
// begins, as "17 put log/…"; nil writes nothing.
func Wrap(s bucket.Store, p Plan, trace *os.File) bucket.Store {
	return &store{Store: s, counter: &counter{plan: p, trace: trace}}
}

// store counts the operations of a store. The embedded one supplies String.
type store struct {
	bucket.Store
	*counter
}

// Get counts as "get".
func (s *store) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	defer s.begin("get", key)()
	return s.Store.Get(ctx, key)
}

// Open counts as "open", and each range that is read as "read".
func (s *store) Open(ctx context.Context, key string) (bucket.Reader, error) {
	defer s.begin("open", key)()
	r, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, counter: s.counter, key: key}, nil
}

// Put counts as "put".
func (s *store) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	defer s.begin("put", key)()
	return s.Store.Put(ctx, key, body, cond)
}

// Stat counts as "stat".
func (s *store) Stat(ctx context.Context, key string) (bucket.Info, error) {
	defer s.begin("stat", key)()
	return s.Store.Stat(ctx, key)
}

// Delete counts as "delete".
func (s *store) Delete(ctx context.Context, key string) error {
	defer s.begin("delete", key)()
	return s.Store.Delete(ctx, key)
}

// List counts as one "list", however long it is.
func (s *store) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		defer s.begin("list", prefix)()
		s.Store.List(ctx, prefix, after)(yield)
	}
}

// CreateUpload counts as "create".
func (s *store) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	defer s.begin("create", key)()
	return s.Store.CreateUpload(ctx, key)
}

// UploadPart counts as "part".
func (s *store) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	defer s.begin("part", up.Key)()
	return s.Store.UploadPart(ctx, up, number, body)
}

// CompleteUpload counts as "complete".
func (s *store) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	defer s.begin("complete", up.Key)()
	return s.Store.CompleteUpload(ctx, up, parts)
}

// AbortUpload counts as "abort".
func (s *store) AbortUpload(ctx context.Context, up bucket.Upload) error {
	defer s.begin("abort", up.Key)()
	return s.Store.AbortUpload(ctx, up)
}

// PendingUploads counts as "pending".
func (s *store) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	defer s.begin("pending", key)()
	return s.Store.PendingUploads(ctx, key)
}

// reader counts the ranges that are read of an object.
type reader struct {
	bucket.Reader
	*counter
	key string
}

// ReadAt counts as "read".
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	defer r.begin("read", r.key)()
	return r.Reader.ReadAt(p, off)
}
