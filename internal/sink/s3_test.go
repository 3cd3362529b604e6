package sink

import (
	"fmt"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

func openS3(t *testing.T, server *s3test.Server, url string) bucket.Store {
	t.Helper()
	store, err := bucket.Open(t.Context(), url, server.Options())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestACrashOnS3LosesAndDoublesNothing tries some of the writes of a run, each
// in another way.
func TestACrashOnS3LosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, sc := range scenarios[1:] {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			for n, step := sample(7); ; n += step {
				plan := everyFault[n%len(everyFault)]
				plan.at = 4*n + n%3
				if !sc.make(t, openS3(t, server, server.NewBucket(t))).survives(plan) {
					break
				}
			}
		})
	}
}

func TestShardsShareALogOnS3(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	w := newWorld(t, openS3(t, server, server.URL), cursors.Shard{Count: 1}, 16)
	for range 2 {
		var runs []func()
		for _, part := range w.shards(4) {
			runs = append(runs, func() {
				if err := part.run(t.Context(), w.police); err != nil {
					t.Errorf("shard %d: %v", part.shard.Index, err)
				}
			})
		}
		group(runs...)
		w.checkClean()
		w.night()
	}
	w.mustRun()
	w.checkCursors()
}

// TestALargeFileOnS3IsUploadedWhileItGrows writes more than one part.
func TestALargeFileOnS3IsUploadedWhileItGrows(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	w := newWorld(t, openS3(t, server, server.URL), cursors.Shard{Count: 1}, 1)
	wr := w.mustOpen()
	const versions = 60
	for id := range w.truth {
		w.truth[id] = versions
		b := w.batch(id, 0, versions)
		for i, r := range b.Rows {
			if c, ok := r.(*table.Contract); ok {
				c.Attributes = incompressible(200<<10, i)
			}
		}
		if err := wr.Add(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	r := w.mustCommit(wr)
	if got := len(r.Files[0].Upload.Parts); got < 2 {
		t.Errorf("%d parts of %d bytes", got, r.Files[0].Bytes)
	}
	w.mustClose(wr)
	w.checkClean()
}

// incompressible is JSON text that does not get smaller.
func incompressible(n, seed int) string {
	text := make([]byte, 0, n)
	for x := uint64(seed) + 1; len(text) < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		text = fmt.Appendf(text, "%x", x)
	}
	return `"` + string(text) + `"`
}
