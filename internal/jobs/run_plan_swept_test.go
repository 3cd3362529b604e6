package jobs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/sink/bucket"
)

// swept is a store from which a run at work has swept the next cursors that
// are read.
type swept struct {
	bucket.Store
	times *int
}

func (s swept) Open(ctx context.Context, key string) (bucket.Reader, error) {
	if strings.Contains(key, "/cursors/") && *s.times > 0 {
		*s.times--
		return nil, fmt.Errorf("open %s: %w", key, bucket.ErrNotExist)
	}
	return s.Store.Open(ctx, key)
}

func TestAPlanLooksAgainWhenARunSweepsWhatItReads(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		b.run()
		b.Night()
		for name, offline := range map[string]bool{"listed": false, "offline": true} {
			o := b.options(b.config())
			if name == "offline" {
				o.Users = []string{b.UserID(3)}
			}
			want, err := b.plan(o, offline)
			if err != nil {
				b.t.Fatal(err)
			}
			times := 2
			o.WrapStore = func(s bucket.Store) bucket.Store { return swept{s, &times} }
			got, err := b.plan(o, offline)
			if err != nil || times != 0 {
				b.t.Fatalf("%s: %v, swept %d times fewer than planned", name, err, times)
			}
			want.At = got.At
			if diff := cmp.Diff(want, got); diff != "" {
				b.t.Errorf("%s: -undisturbed +swept:\n%s", name, diff)
			}
			times = 9
			if _, err := b.plan(o, offline); err == nil {
				b.t.Errorf("%s: planned from what is gone for good", name)
			}
		}
	})
}
