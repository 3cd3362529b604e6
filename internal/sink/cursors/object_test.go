package cursors

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/parquet"
)

// storedBody is an object of a bucket.
type storedBody struct{ *bytes.Reader }

func (storedBody) Close() error { return nil }

func sealedFile(t *testing.T) (body []byte, o Object, all []Cursor) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	all = randomCursors(rng, 6, func() []byte { return []byte(fmt.Sprint("state ", rng.Uint64())) })
	body, o, err := About{Key: "some/key", RunID: "run", Seq: 7, Record: "sum"}.Encode(all)
	if err != nil {
		t.Fatal(err)
	}
	return body, o, all
}

// readAs reads a file as a merge does, bucket by bucket of those that it is to hold.
func readAs(body []byte, all bool, buckets []int) (found []Cursor, err error) {
	f, err := Open(bytes.NewReader(body), false)
	if err != nil {
		return nil, err
	}
	for _, b := range buckets {
		next := f.Bucket(b, all)
		for more := true; more; {
			var cs []Cursor
			if cs, more, err = next(); err != nil {
				return nil, err
			}
			found = append(found, cs...)
		}
	}
	return found, nil
}

// TestASealedFileIsNeverReadWrong flips bits in it, other ones each time: whoever reads
// ranges of it is told, or reads what was written.
func TestASealedFileIsNeverReadWrong(t *testing.T) {
	t.Parallel()
	body, _, cursors := sealedFile(t)
	var buckets []int
	for _, c := range cursors {
		buckets = append(buckets, BucketOf(c.UserID))
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	want := map[bool][]Cursor{}
	for _, all := range []bool{false, true} {
		var err error
		if want[all], err = readAs(body, all, buckets); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for at := rand.IntN(13); at < len(body); at += 13 {
		hurt := bytes.Clone(body)
		hurt[at] ^= 1 << rand.IntN(8)
		if _, err := Count(bytes.NewReader(hurt)); err == nil {
			t.Errorf("byte %d of %d: nobody is told", at, len(body))
		}
		for _, all := range []bool{false, true} {
			got, err := readAs(hurt, all, buckets)
			if err != nil {
				told++
			} else if diff := cmp.Diff(want[all], got); diff != "" {
				t.Fatalf("byte %d of %d, all %v, is read wrong:\n%s", at, len(body), all, diff)
			}
		}
	}
	if told == 0 {
		t.Error("nothing was told")
	}
}

func TestAFileSaysWhereItBelongs(t *testing.T) {
	t.Parallel()
	body, o, all := sealedFile(t)
	f, err := Open(bytes.NewReader(body), false)
	if err != nil {
		t.Fatal(err)
	}
	want := &About{Key: "some/key", RunID: "run", Seq: 7, Record: "sum", Rows: int64(len(all))}
	if diff := cmp.Diff(want, f.About()); diff != "" {
		t.Errorf("about (-want +got):\n%s", diff)
	}
	if o.Path != "some/key" || o.Rows != f.Rows() || o.Bytes != int64(len(body)) || len(o.SHA256) != 64 {
		t.Errorf("object: %+v", o)
	}
	f, err = Open(cursorsOf(t, all), false)
	if err != nil || f.About() != nil {
		t.Errorf("a file without a seal: %v, %v", f.About(), err)
	}
}

func TestAnObjectThatIsAnotherIsRefused(t *testing.T) {
	t.Parallel()
	body, o, all := sealedFile(t)
	other, _, err := About{Key: "some/key", RunID: "run"}.Encode(all[1:])
	if err != nil {
		t.Fatal(err)
	}
	old, rows, err := Encode(all[1:])
	if err != nil {
		t.Fatal(err)
	}
	before := Object{Path: o.Path, Rows: o.Rows} // as a record of an earlier version has it
	for name, tt := range map[string]struct {
		object Object
		body   []byte
		refuse bool
	}{
		"itself":                           {o, body, false},
		"itself, of which little is known": {before, body, false},
		"another":                          {o, other, true},
		"a flipped bit":                    {o, flipped(body, 9), true},
		"cut off":                          {o, body[:len(body)-1], true},
		"empty":                            {o, nil, true},
		"fewer cursors":                    {before, other, true},
		"an old one":                       {Object{Path: o.Path, Rows: rows}, old, false},
		"an old one, cut off":              {Object{Path: o.Path, Rows: rows}, old[:len(old)-1], true},
	} {
		f, local, err := tt.object.Open(storedBody{bytes.NewReader(tt.body)}, t.TempDir())
		if errors.Is(err, ErrDamaged) != tt.refuse || (f == nil) != tt.refuse {
			t.Errorf("%s: %v", name, err)
		}
		if local != nil {
			_ = local.Close()
		}
	}
}

// TestALargeObjectGoesByWayOfTheDisk reads one that does not fit into a step.
func TestALargeObjectGoesByWayOfTheDisk(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	state := make([]byte, 40<<10)
	all := randomCursors(rng, 20, func() []byte {
		for i := range state {
			state[i] = byte(rng.Uint32())
		}
		return bytes.Clone(state)
	})
	body, o, err := About{Key: "k"}.Encode(all)
	if err != nil || len(body) < 2*copyStep {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	f, local, err := o.Open(storedBody{bytes.NewReader(body)}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := gather(t, f.cursors()); len(got) != len(all) {
		t.Errorf("%d cursors, want %d", len(got), len(all))
	}
	if err := local.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := o.Open(storedBody{bytes.NewReader(flipped(body, len(body)/2))}, t.TempDir()); !errors.Is(err, ErrDamaged) {
		t.Errorf("a flipped bit: %v", err)
	}
	var _ parquet.Stored = local.(*fileCopy) //nolint:errcheck,forcetypeassert // fails loudly
}

func flipped(body []byte, at int) []byte {
	body = bytes.Clone(body)
	body[at] ^= 4
	return body
}
