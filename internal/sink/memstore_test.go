package sink

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// memStore is a store in memory whose clock is time.Now, so that leases age in
// a synctest bubble. The folder store and the S3 server referee the rest.
type memStore struct {
	mu      sync.Mutex
	skew    time.Duration // of the store's clock against the workers'
	objects map[string]memObject
	uploads map[string]memUpload // by id
}

type memObject struct {
	body     []byte
	etag     string
	token    string
	modified time.Time
}

type memUpload struct {
	bucket.Upload
	parts map[int][]byte
}

func newMemStore() *memStore {
	return &memStore{objects: map[string]memObject{}, uploads: map[string]memUpload{}}
}

// clone copies the store. Bodies are never changed in place.
func (m *memStore) clone() *memStore {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newMemStore()
	c.skew, c.objects = m.skew, maps.Clone(m.objects)
	for id, u := range m.uploads {
		c.uploads[id] = memUpload{Upload: u.Upload, parts: maps.Clone(u.parts)}
	}
	return c
}

func (m *memStore) String() string { return "mem://test" }

func (m *memStore) now() time.Time { return time.Now().Add(m.skew) }

func (m *memStore) info(key string, o memObject) bucket.Info {
	return bucket.Info{Key: key, Size: int64(len(o.body)), ETag: o.etag, Modified: o.modified, StoreTime: m.now()}
}

func (m *memStore) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if err := ctx.Err(); err != nil {
		return nil, bucket.Info{}, err
	}
	if !ok {
		return nil, bucket.Info{}, fmt.Errorf("get %s: %w", key, bucket.ErrNotExist)
	}
	return slices.Clone(o.body), m.info(key, o), nil
}

type memReader struct{ *bytes.Reader }

func (memReader) Close() error { return nil }

func (m *memStore) Open(ctx context.Context, key string) (bucket.Reader, error) {
	body, _, err := m.Get(ctx, key)
	return memReader{bytes.NewReader(body)}, err
}

func (m *memStore) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return bucket.Info{}, err
	}
	o, stands := m.objects[key]
	if cond.IfNoneMatch && stands || cond.IfMatch != "" && (!stands || cond.IfMatch != o.etag) {
		return bucket.Info{}, fmt.Errorf("put %s: %w", key, bucket.ErrPrecondition)
	}
	o = m.set(key, body, "")
	return m.info(key, o), nil
}

func (m *memStore) set(key string, body []byte, token string) memObject {
	sum := sha256.Sum256(body)
	o := memObject{body: slices.Clone(body), etag: hex.EncodeToString(sum[:8]), token: token, modified: m.now()}
	m.objects[key] = o
	return o
}

func (m *memStore) Stat(ctx context.Context, key string) (bucket.Info, error) {
	_, info, err := m.Get(ctx, key)
	return info, err
}

func (m *memStore) Delete(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return ctx.Err()
}

func (m *memStore) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		m.mu.Unlock()
		if err := ctx.Err(); err != nil {
			yield(bucket.Info{}, err)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if strings.HasPrefix(key, prefix) && key > after {
				o := objects[key]
				if !yield(bucket.Info{Key: key, Size: int64(len(o.body)), Modified: o.modified}, nil) {
					return
				}
			}
		}
	}
}

func (m *memStore) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	up := bucket.Upload{Key: key, ID: rand.Text(), Token: rand.Text()}
	m.uploads[up.ID] = memUpload{Upload: up, parts: map[int][]byte{}}
	return up, ctx.Err()
}

func (m *memStore) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.uploads[up.ID]; !ok {
		return bucket.Part{}, fmt.Errorf("upload part of %s: %w", up.Key, bucket.ErrNoUpload)
	}
	m.uploads[up.ID].parts[number] = slices.Clone(body)
	return bucket.Part{Number: number, ETag: strconv.Itoa(number), Size: int64(len(body))}, ctx.Err()
}

func (m *memStore) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.uploads[up.ID]
	if !ok {
		if m.objects[up.Key].token == up.Token {
			return ctx.Err()
		}
		return fmt.Errorf("complete %s: %w", up.Key, bucket.ErrNoUpload)
	}
	var body []byte
	for i, p := range parts {
		if i+1 < len(parts) && p.Size < bucket.MinPart {
			return fmt.Errorf("complete %s: part %d of %d bytes is too small: %w", up.Key, p.Number, p.Size, bucket.ErrBadUpload)
		}
		if int64(len(u.parts[p.Number])) != p.Size {
			return fmt.Errorf("complete %s: part %d: %w", up.Key, p.Number, bucket.ErrBadUpload)
		}
		if last := i+1 == len(parts); p.Size != parts[0].Size && !last || p.Size > parts[0].Size { // as Cloudflare R2 has it
			return fmt.Errorf("complete %s: part %d of %d bytes is not as long as the others", up.Key, p.Number, p.Size)
		}
		body = append(body, u.parts[p.Number]...)
	}
	delete(m.uploads, up.ID)
	m.set(up.Key, body, up.Token)
	return ctx.Err()
}

func (m *memStore) AbortUpload(ctx context.Context, up bucket.Upload) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.uploads, up.ID)
	return ctx.Err()
}

func (m *memStore) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []bucket.Upload
	for _, u := range m.uploads {
		if u.Key == key {
			found = append(found, bucket.Upload{Key: key, ID: u.ID})
		}
	}
	return found, ctx.Err()
}
