package commit

import (
	"context"
	"sync/atomic"

	"finoos-syncer/internal/sink/bucket"
)

// counts are what a store was asked for.
type counts struct{ reads, read, writes, written int64 }

func (c counts) less(o counts) counts {
	return counts{c.reads - o.reads, c.read - o.read, c.writes - o.writes, c.written - o.written}
}

// counted is a store that counts requests and bytes. Listings and deletions are
// not counted.
type counted struct {
	bucket.Store
	reads, read, writes, written atomic.Int64
}

func (s *counted) now() counts {
	return counts{s.reads.Load(), s.read.Load(), s.writes.Load(), s.written.Load()}
}

func (s *counted) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	body, info, err := s.Store.Get(ctx, key)
	s.reads.Add(1)
	s.read.Add(int64(len(body)))
	return body, info, err
}

func (s *counted) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	s.writes.Add(1)
	s.written.Add(int64(len(body)))
	return s.Store.Put(ctx, key, body, cond)
}

func (s *counted) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	s.writes.Add(1)
	s.written.Add(int64(len(body)))
	return s.Store.UploadPart(ctx, up, number, body)
}

func (s *counted) Open(ctx context.Context, key string) (bucket.Reader, error) {
	r, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return &countedReader{r, s}, nil
}

type countedReader struct {
	bucket.Reader
	s *counted
}

func (r *countedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.Reader.ReadAt(p, off)
	r.s.reads.Add(1)
	r.s.read.Add(int64(n))
	return n, err
}
