package table

import (
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestATallyCountsRowsAndSumsMoney(t *testing.T) {
	t.Parallel()
	f, err := NewFile(transactionsTable, io.Discard, FileOptions{RowGroupBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		op     Op
		amount string
	}{{Upsert, "-12.3456"}, {Upsert, "2"}, {Upsert, ""}, {Delete, "1000"}} {
		row := transaction("1")
		row.Op = r.op
		row.Amount, err = ParseDecimal(r.amount)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	want := Tally{Rows: 4, Upserts: 3, Deletes: 1, Sums: map[string]string{"amount": "-10.3456"}}
	if diff := cmp.Diff(want, f.Tally()); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}

	var total Tally
	total.Add(f.Tally())
	total.Add(Tally{Rows: 1, Deletes: 1})
	total.Add(Tally{Rows: 1, Upserts: 1, Sums: map[string]string{"amount": "99999999999999999999.9999", "fee": "-0.0001"}})
	want = Tally{Rows: 6, Upserts: 4, Deletes: 2, Sums: map[string]string{"amount": "99999999999999999989.6543", "fee": "-0.0001"}}
	if diff := cmp.Diff(want, total); diff != "" {
		t.Errorf("merged tally (-want +got):\n%s", diff)
	}
}

func TestATableWithoutMoneyHasNoSums(t *testing.T) {
	t.Parallel()
	f, err := NewFile(usersTable, io.Discard, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Append(&User{UserID: "u", Meta: Meta{Op: Upsert, ExtractedAt: time.Unix(1, 0)}}); err != nil {
		t.Fatal(err)
	}
	if sums := f.Tally().Sums; len(sums) != 0 {
		t.Errorf("sums of users: %v", sums)
	}
}

func TestSumsDoNotOverflow(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var got sum128
	var want big.Int
	for i := range 10_000 {
		v := rng.Int64() - rng.Int64()
		switch {
		case i < 100:
			v = math.MaxInt64
		case i < 300:
			v = math.MinInt64
		}
		got.add(v)
		want.Add(&want, big.NewInt(v))
		if s := formatUnits(&want); got.String() != s {
			t.Fatalf("after %d values: %s, want %s", i+1, got.String(), s)
		}
	}
}
