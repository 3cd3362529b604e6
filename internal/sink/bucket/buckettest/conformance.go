// Package buckettest holds what every store has to keep, as tests: one suite,
// run over each implementation and over whatever is wrapped around one.
package buckettest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

// Conformance runs the suite. Each call of open gives a store of its own,
// empty.
func Conformance(t *testing.T, open func(t *testing.T) bucket.Store) {
	t.Helper()
	for _, group := range [][]claim{objects, conditions, listing, uploads, completion} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, open(t))
			})
		}
	}
}

// claim is something that every store keeps.
type claim struct {
	name string
	test func(t *testing.T, s bucket.Store)
}

func put(t *testing.T, s bucket.Store, key, body string, cond bucket.Condition) bucket.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, []byte(body), cond)
	if err != nil {
		t.Fatalf("Put(%s) = %v", key, err)
	}
	return info
}

func wantBody(t *testing.T, s bucket.Store, key string, want []byte) {
	t.Helper()
	got, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%s) = %v", key, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Get(%s) holds %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
	if info.Size != int64(len(want)) {
		t.Errorf("Get(%s) says size %d, want %d", key, info.Size, len(want))
	}
}

func wantAbsent(t *testing.T, s bucket.Store, key string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, bucket.ErrNotExist) {
		t.Fatalf("Stat(%s) = %v, want ErrNotExist", key, err)
	}
}

func wantErr(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s = %v, want %v", doing, got, want)
	}
}

// noise is a body that no part of repeats.
func noise(seed uint64, size int) []byte {
	body := make([]byte, size)
	var chaos [32]byte
	chaos[0] = byte(seed)
	_, _ = rand.NewChaCha8(chaos).Read(body) // never fails
	return body
}

// at once calls fn n times concurrently and returns the errors.
func atOnce(ctx context.Context, n int, fn func(ctx context.Context, i int) error) []error {
	start := make(chan struct{})
	done := make(chan struct{})
	errs := make([]error, n)
	for i := range n {
		go func() {
			<-start
			errs[i] = fn(ctx, i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return errs
}
