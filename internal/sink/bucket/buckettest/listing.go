//nolint:thelper // claims are tests, and a failure should name its line in them
package buckettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
)

var listing = []claim{
	{"an empty store lists nothing", listsNothing},
	{"keys list in their order, by prefix, after a key", listsInOrder},
	{"a listing tells size and time", listsInfo},
	{"a listing may be broken off", listsPart},
	{"more than a page of keys lists completely", listsPages},
}

func keys(t *testing.T, s bucket.Store, prefix, after string) []string {
	t.Helper()
	var got []string
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("List(%s, %s) = %v", prefix, after, err)
		}
		got = append(got, info.Key)
	}
	return got
}

func listsNothing(t *testing.T, s bucket.Store) {
	if got := keys(t, s, "", ""); got != nil {
		t.Errorf("List = %v", got)
	}
	if got := keys(t, s, "no/such/", ""); got != nil {
		t.Errorf("List = %v", got)
	}
}

// listsInOrder has keys whose order is another than that of walking folders:
// '-' and '.' sort before '/', '0' after it.
func listsInOrder(t *testing.T, s bucket.Store) {
	all := []string{
		"a-b/x", "a-b0", "a.b", "a/b-c/1", "a/b.c", "a/b/1", "a/b/10", "a/b/2", "a/b0", "a0", "b/ü", "b/ x=1/y", "_syncer/job/log/1",
	}
	for _, key := range all {
		put(t, s, key, key, bucket.Condition{})
	}
	slices.Sort(all)
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "a/b/1", "a-", "b/ x", "zz"} {
		afters := append([]string{"", prefix, "a/b/", "a/b/1z", "zzz"}, all...)
		for _, after := range afters {
			var want []string
			for _, key := range all {
				if len(key) >= len(prefix) && key[:len(prefix)] == prefix && key > after {
					want = append(want, key)
				}
			}
			if diff := cmp.Diff(want, keys(t, s, prefix, after)); diff != "" {
				t.Errorf("List(%q, %q) (-want +got):\n%s", prefix, after, diff)
			}
		}
	}
}

func listsInfo(t *testing.T, s bucket.Store) {
	put(t, s, "k", "12345", bucket.Condition{})
	stat, err := s.Stat(t.Context(), "k")
	wantErr(t, "Stat", err, nil)
	for info, err := range s.List(t.Context(), "", "") {
		wantErr(t, "List", err, nil)
		if info.Size != 5 || !info.Modified.Equal(stat.Modified) && info.Modified.Sub(stat.Modified).Abs() >= 1e9 {
			t.Errorf("List says %+v, Stat %+v", info, stat)
		}
	}
}

func listsPart(t *testing.T, s bucket.Store) {
	for _, key := range []string{"a", "b/1", "b/2", "c"} {
		put(t, s, key, "", bucket.Condition{})
	}
	var got []string
	for info, err := range s.List(t.Context(), "", "") {
		wantErr(t, "List", err, nil)
		got = append(got, info.Key)
		if len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]string{"a", "b/1"}, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

func listsPages(t *testing.T, s bucket.Store) {
	const count, at = 1040, 8 // a page of S3 holds 1,000
	want := make([]string, count)
	for i := range want {
		want[i] = fmt.Sprintf("log/%020d.json", i)
	}
	errs := atOnce(t.Context(), at, func(ctx context.Context, w int) error {
		for i := w; i < count; i += at {
			if _, err := s.Put(ctx, want[i], []byte("{}"), bucket.Condition{}); err != nil {
				return err
			}
		}
		return nil
	})
	wantErr(t, "writing", errors.Join(errs...), nil)
	if diff := cmp.Diff(want, keys(t, s, "log/", "")); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[30:], keys(t, s, "log/", want[29])); diff != "" {
		t.Errorf("List after the 30th (-want +got):\n%s", diff)
	}
}
