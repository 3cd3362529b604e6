package sink

import (
	"context"
	"strings"
	"sync"

	"finoos-syncer/internal/sink/bucket"
)

// watched is a store that says what of the things that are nobody's business was
// touched, and what was deleted.
type watched struct {
	bucket.Store
	mu      sync.Mutex
	touched []string
}

func (s *watched) touch(what, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(key, "_syncer/j/") && !strings.Contains(key, "/ingest_date=") {
		s.touched = append(s.touched, what+" "+key)
	}
}

func (s *watched) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	s.touch("get", key)
	return s.Store.Get(ctx, key)
}

func (s *watched) Open(ctx context.Context, key string) (bucket.Reader, error) {
	s.touch("open", key)
	return s.Store.Open(ctx, key)
}

func (s *watched) Stat(ctx context.Context, key string) (bucket.Info, error) {
	s.touch("stat", key)
	return s.Store.Stat(ctx, key)
}

func (s *watched) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	s.touch("put", key)
	return s.Store.Put(ctx, key, body, cond)
}

func (s *watched) Delete(ctx context.Context, key string) error {
	s.touch("delete", key)
	return s.Store.Delete(ctx, key)
}

func (s *watched) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	s.touch("create", key)
	return s.Store.CreateUpload(ctx, key)
}

func (s *watched) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	s.touch("complete", up.Key)
	return s.Store.CompleteUpload(ctx, up, parts)
}

func (s *watched) AbortUpload(ctx context.Context, up bucket.Upload) error {
	s.touch("abort", up.Key)
	return s.Store.AbortUpload(ctx, up)
}

func (s *watched) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	s.touch("list uploads of", key)
	return s.Store.PendingUploads(ctx, key)
}
