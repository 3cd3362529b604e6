package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// puts answers Put by a list, and then always with the last of it. What it is told
// to write stands from the first answer that is errApplied on, or nil.
type puts struct {
	bucket.Objects // nil: all else fails the test

	answers []error
	asked   int
	stands  []byte
}

var (
	errApplied = errors.New("the answer was lost, the object stands")
	errNot     = errors.New("the request was lost")
)

func (p *puts) Put(_ context.Context, key string, body []byte, _ bucket.Condition) (bucket.Info, error) {
	err := p.answers[min(p.asked, len(p.answers)-1)]
	p.asked++
	if err == nil || errors.Is(err, errApplied) {
		p.stands = body
	}
	return bucket.Info{Key: key, ETag: "etag"}, err
}

func (p *puts) Get(_ context.Context, key string) ([]byte, bucket.Info, error) {
	if p.stands == nil {
		return nil, bucket.Info{}, fmt.Errorf("get %s: %w", key, bucket.ErrNotExist)
	}
	return p.stands, bucket.Info{Key: key, ETag: "etag"}, nil
}

func TestAConflictMeansRepeatUntilPatienceEnds(t *testing.T) {
	t.Parallel()
	conflict := fmt.Errorf("put: %w", bucket.ErrConflict)
	refused := fmt.Errorf("put: %w", bucket.ErrPrecondition)
	for name, c := range map[string]struct {
		answers []error
		want    error
		asked   int
	}{
		"none":                       {[]error{nil}, nil, 1},
		"one":                        {[]error{conflict, nil}, nil, 2},
		"some, and another has won":  {[]error{conflict, conflict, refused}, bucket.ErrPrecondition, 3},
		"some, and a fault":          {[]error{conflict, conflict, errNot}, errNot, 3},
		"no end":                     {[]error{conflict}, bucket.ErrConflict, 10},
		"a refusal is not a reason":  {[]error{refused, nil}, bucket.ErrPrecondition, 1},
		"nor is a fault of any kind": {[]error{errNot, nil}, errNot, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				p := &puts{answers: c.answers}
				_, err := bucket.Write(t.Context(), p, "k", []byte("x"), bucket.Condition{IfMatch: "e"})
				if !errors.Is(err, c.want) || p.asked != c.asked {
					t.Errorf("asked %d times, %v; want %d, %v", p.asked, err, c.asked, c.want)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestARepeatedWriteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := bucket.Write(ctx, &puts{answers: []error{bucket.ErrConflict}}, "k", nil, bucket.Condition{IfNoneMatch: true})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, bucket.ErrConflict) {
			t.Errorf("Write = %v, want what ended it and what it met", err)
		}
	})
}

func TestAWriteToAKeyOfOnesOwnFindsItsOwnBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stands string
		answer error
		want   error
	}{
		"written":                               {"", nil, nil},
		"written, and the answer was lost":      {"", errApplied, nil},
		"not written, and nobody knows":         {"", errNot, errNot},
		"refused for its own bytes":             {"mine", bucket.ErrPrecondition, nil},
		"refused for another's":                 {"another's", bucket.ErrPrecondition, bucket.ErrPrecondition},
		"lost, and another's stands there":      {"another's", errNot, bucket.ErrPrecondition},
		"refused, and nothing stands there":     {"", bucket.ErrPrecondition, bucket.ErrNotExist},
		"conflicts without end, its own stands": {"mine", bucket.ErrConflict, nil},
		"conflicts without end, nothing stands": {"", bucket.ErrConflict, bucket.ErrConflict},
		"denied":                                {"", bucket.ErrDenied, bucket.ErrDenied},
		"the store does not know the condition": {"", bucket.ErrUnsupported, bucket.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &puts{answers: []error{c.answer}}
				if c.stands != "" {
					p.stands = []byte(c.stands)
				}
				if _, err := bucket.WriteNew(t.Context(), p, "k", []byte("mine")); !errors.Is(err, c.want) {
					t.Errorf("WriteNew = %v, want %v", err, c.want)
				}
			})
		})
	}
}
