package sink

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

// police watches over the protocol between a writer and a store: whatever
// happens, including faults below and sleepers above, certain requests are
// never made. It knows of one job.
type police struct {
	bucket.Store
	t       *testing.T
	keys    jobKeys
	offDuty bool // where looking takes too long

	mu      sync.Mutex
	created map[string]bool // keys that uploads were ever begun to
}

func newPolice(t *testing.T, store bucket.Store, job string) *police {
	t.Helper()
	return &police{Store: store, t: t, keys: jobKeys(job), created: map[string]bool{}}
}

func (p *police) accuse(format string, args ...any) {
	p.t.Helper()
	p.t.Errorf("protocol: "+format, args...)
}

// Put: what is immutable is written once, nothing is empty, and a record
// names only what is there.
func (p *police) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	p.t.Helper()
	if p.offDuty {
		return p.Store.Put(ctx, key, body, cond)
	}
	if len(body) == 0 {
		p.accuse("%s is written empty", key)
	}
	if strings.HasPrefix(key, p.keys.root()+"staging/") || strings.HasPrefix(key, p.keys.root()+"runs/") || path.Base(key) == "ledger.json" {
		return p.Store.Put(ctx, key, body, cond)
	}
	if cond == (bucket.Condition{}) {
		p.accuse("%s is written without a condition", key)
	}
	if strings.HasPrefix(key, p.keys.root()+"cursors/") && !p.stagedBy(ctx, func(s stagingRecord) []string { return s.Cursors }, key) && !p.isFenced(ctx, key) {
		p.accuse("cursor object %s is not staged", key)
	}
	if _, published, ok := p.keys.parseLog(key); ok && !published {
		return p.putRecord(ctx, key, body, cond)
	}
	return p.Store.Put(ctx, key, body, cond)
}

// putRecord accuses only when the record comes to stand: one that is repeated
// in vain may have been published by others, or taken back, meanwhile.
func (p *police) putRecord(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	p.t.Helper()
	var r Record
	if err := json.Unmarshal(body, &r); err != nil {
		p.accuse("record: %v", err)
	}
	var visible []string
	for _, f := range r.Files {
		if _, err := p.Store.Stat(ctx, f.Path); err == nil {
			visible = append(visible, f.Path)
		}
	}
	info, err := p.Store.Put(ctx, key, body, cond)
	if err != nil {
		return info, err
	}
	if len(visible) > 0 {
		p.accuse("%v were visible before record %d", visible, r.Seq)
	}
	if r.Cursors.Path != "" {
		if _, err := p.Store.Stat(ctx, r.Cursors.Path); err != nil && ctx.Err() == nil {
			p.accuse("record %d stands without its cursors: %v", r.Seq, err)
		}
	}
	return info, nil
}

// CreateUpload: every key is staged before.
func (p *police) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	p.t.Helper()
	p.mu.Lock()
	p.created[key] = true
	p.mu.Unlock()
	if p.offDuty {
		return p.Store.CreateUpload(ctx, key)
	}
	staged := p.stagedBy(ctx, func(s stagingRecord) []string { return s.Uploads }, key) || p.isFenced(ctx, key)
	if !staged && !strings.HasPrefix(key, p.keys.selfTests()) && ctx.Err() == nil {
		p.accuse("upload to %s, which is not staged", key)
	}
	return p.Store.CreateUpload(ctx, key)
}

// CompleteUpload: only what a record names becomes visible.
func (p *police) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	p.t.Helper()
	if p.offDuty {
		return p.Store.CompleteUpload(ctx, up, parts)
	}
	if r := p.namedBy(ctx, up); r == nil && !strings.HasPrefix(up.Key, p.keys.selfTests()) && ctx.Err() == nil {
		p.accuse("%s is completed, but no record names it", up.Key)
	}
	return p.Store.CompleteUpload(ctx, up, parts)
}

// AbortUpload: what a record names is not dropped, unless it was taken back.
func (p *police) AbortUpload(ctx context.Context, up bucket.Upload) error {
	p.t.Helper()
	if p.offDuty {
		return p.Store.AbortUpload(ctx, up)
	}
	if r := p.namedBy(ctx, up); r != nil && !p.isVoided(ctx, r.Seq) && ctx.Err() == nil {
		p.accuse("%s is aborted, but record %d names it", up.Key, r.Seq)
	}
	return p.Store.AbortUpload(ctx, up)
}

// Delete: the log is for ever, and data is deleted only when it is taken back.
func (p *police) Delete(ctx context.Context, key string) error {
	p.t.Helper()
	switch {
	case p.offDuty:
	case strings.HasPrefix(key, p.keys.log()):
		p.accuse("%s is deleted", key)
	case !strings.HasPrefix(key, system):
		r := p.recordOf(ctx, func(r *Record) bool {
			return slices.ContainsFunc(r.Files, func(f File) bool { return f.Path == key })
		})
		if r == nil || !p.isVoided(ctx, r.Seq) {
			p.accuse("data file %s is deleted", key)
		}
	case !strings.HasPrefix(key, p.keys.root()):
		p.accuse("%s of another job is deleted", key)
	}
	return p.Store.Delete(ctx, key)
}

func (p *police) stagedBy(ctx context.Context, of func(stagingRecord) []string, key string) bool {
	staged, err := listStagings(ctx, p.Store, p.keys)
	if err != nil {
		return ctx.Err() != nil
	}
	return slices.ContainsFunc(staged, func(s stagingRecord) bool { return slices.Contains(of(s), key) })
}

// isFenced says whether the key is of a run that was swept up after. What it
// begins within the life of its lease is its own to clear up.
func (p *police) isFenced(ctx context.Context, key string) bool {
	return p.recordOf(ctx, func(r *Record) bool { return r.Fences != "" && strings.Contains(key, "/"+r.Fences+"-") }) != nil
}

func (p *police) namedBy(ctx context.Context, up bucket.Upload) *Record {
	return p.recordOf(ctx, func(r *Record) bool {
		return slices.ContainsFunc(r.Files, func(f File) bool { return f.Upload.ID == up.ID })
	})
}

// isVoided says that a record of the log takes another one back, and that the other's
// mark says so.
func (p *police) isVoided(ctx context.Context, seq uint64) bool {
	void := p.recordOf(ctx, func(r *Record) bool { return r.Voids == seq })
	m, err := (&ledger{store: p.Store, keys: p.keys}).mark(ctx, seq)
	return void != nil && err == nil && m != nil && m.VoidedBy == void.Seq
}

func (p *police) recordOf(ctx context.Context, is func(*Record) bool) *Record {
	for r, err := range ReadLog(ctx, p.Store, string(p.keys), 0) {
		if err != nil {
			return nil
		}
		if is(r) {
			return r
		}
	}
	return nil
}
