package sink

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"finoos-syncer/internal/sink/bucket"
)

var (
	errInjected = errors.New("injected fault")
	errDead     = errors.New("the process is dead")
)

// fault is what happens at one write.
type fault struct {
	at int // which write, from 0
	// applied says that the write takes place all the same, and only its
	// answer is lost.
	applied bool
	// deadly says that nothing reaches the store from then on: the process
	// was killed. Otherwise it goes on.
	deadly bool
}

// faulty is a store that fails one planned write, counted over all kinds of
// them. Reads change nothing, so that a crash at one is a crash at the write
// before it.
type faulty struct {
	bucket.Store
	plan fault
	// stop names the write to fail at, in place of its number.
	stop func(what, key string) bool

	mu     sync.Mutex
	writes int
	struck bool
	trace  []string
}

// strike counts a write and says what becomes of it.
func (f *faulty) strike(what, key string) (apply bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.struck && f.plan.deadly {
		return false, errDead
	}
	write := what + " " + key
	// A self-test's writes race, and are many of a kind: one stands for them.
	again := strings.Contains(key, "/selftest/") && slices.Contains(f.trace, write)
	f.trace = append(f.trace, write)
	if again {
		return true, nil
	}
	n := f.writes
	f.writes++
	if n != f.plan.at && (f.stop == nil || !f.stop(what, key)) {
		return true, nil
	}
	f.struck = true
	return f.plan.applied, errInjected
}

func (f *faulty) read() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.struck && f.plan.deadly {
		return errDead
	}
	return nil
}

// inject performs a write or not, as planned.
func inject[T any](f *faulty, what, key string, do func() (T, error)) (T, error) {
	var zero T
	apply, fault := f.strike(what, key)
	if !apply {
		return zero, fault
	}
	got, err := do()
	if fault != nil {
		return zero, fault
	}
	return got, err
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, bucket.Info, error) {
	if err := f.read(); err != nil {
		return nil, bucket.Info{}, err
	}
	return f.Store.Get(ctx, key)
}

func (f *faulty) Open(ctx context.Context, key string) (bucket.Reader, error) {
	if err := f.read(); err != nil {
		return nil, err
	}
	return f.Store.Open(ctx, key)
}

func (f *faulty) Stat(ctx context.Context, key string) (bucket.Info, error) {
	if err := f.read(); err != nil {
		return bucket.Info{}, err
	}
	return f.Store.Stat(ctx, key)
}

func (f *faulty) List(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	if err := f.read(); err != nil {
		return func(yield func(bucket.Info, error) bool) { yield(bucket.Info{}, err) }
	}
	return f.Store.List(ctx, prefix, after)
}

func (f *faulty) PendingUploads(ctx context.Context, key string) ([]bucket.Upload, error) {
	if err := f.read(); err != nil {
		return nil, err
	}
	return f.Store.PendingUploads(ctx, key)
}

func (f *faulty) Put(ctx context.Context, key string, body []byte, cond bucket.Condition) (bucket.Info, error) {
	return inject(f, "put", key, func() (bucket.Info, error) { return f.Store.Put(ctx, key, body, cond) })
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	_, err := inject(f, "delete", key, func() (struct{}, error) { return struct{}{}, f.Store.Delete(ctx, key) })
	return err
}

func (f *faulty) CreateUpload(ctx context.Context, key string) (bucket.Upload, error) {
	return inject(f, "create", key, func() (bucket.Upload, error) { return f.Store.CreateUpload(ctx, key) })
}

func (f *faulty) UploadPart(ctx context.Context, up bucket.Upload, number int, body []byte) (bucket.Part, error) {
	return inject(f, trying(up.Key)+"part", up.Key, func() (bucket.Part, error) { return f.Store.UploadPart(ctx, up, number, body) })
}

func (f *faulty) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	_, err := inject(f, trying(up.Key)+"complete", up.Key, func() (struct{}, error) { return struct{}{}, f.Store.CompleteUpload(ctx, up, parts) })
	return err
}

func (f *faulty) AbortUpload(ctx context.Context, up bucket.Upload) error {
	_, err := inject(f, "abort", up.Key, func() (struct{}, error) { return struct{}{}, f.Store.AbortUpload(ctx, up) })
	return err
}

// trying tells what a self-test does with an upload from what a commit does.
func trying(key string) string {
	if strings.HasPrefix(key, system) {
		return "try "
	}
	return ""
}
