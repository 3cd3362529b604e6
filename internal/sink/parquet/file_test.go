package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// booking is a row as a bank's days have many: ids that never repeat, texts that
// are half free, half not, lists, and amounts.
type booking struct {
	id, text, purpose string
	tags              []string
	amount            int64
}

var bookingFields = []Field[booking]{
	Text("id", func(b *booking) string { return b.id }).Unique().NotNull(),
	Text("text", func(b *booking) string { return b.text }),
	Text("purpose", func(b *booking) string { return b.purpose }),
	List("tags", func(b *booking) []string { return b.tags }),
	Fixed("amount", Decimal, func(b *booking) (int64, bool) { return b.amount, b.amount != 0 }),
}

func bookings(n int) (rows []*booking) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("Rechnung Kundennummer Vielen Dank Ihr Einkauf Miete Abschlag Strom Gehalt Lastschrift Beitrag")
	for range n {
		b := &booking{id: fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64()), text: words[rng.IntN(len(words))], amount: rng.Int64N(1e6)}
		for range 6 + rng.IntN(8) {
			b.purpose += words[rng.IntN(len(words))] + " "
		}
		b.purpose += fmt.Sprintf("%016x", rng.Uint64())
		if rng.IntN(3) == 0 {
			b.tags = []string{words[rng.IntN(3)], words[rng.IntN(len(words))]}
		}
		rows = append(rows, b)
	}
	return rows
}

// rowGroup encodes rows as a row group, column after column, of which helpers
// compress pages as long as they take them.
func rowGroup(t *testing.T, rows []*booking, helpers chan *dataPage) (columns [][]byte) {
	t.Helper()
	f, err := New("bookings", bookingFields, io.Discard, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Add(rows, nil)
	group := f.meta.AppendRowGroup()
	for i, column := range f.columns {
		c, err := f.newChunk(group, 0, i, helpers)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(column.encode(c, newWorkspace()), c.settle()); err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if err := c.body.writeTo(&body); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, body.Bytes())
	}
	return columns
}

func TestPagesThatAHelperCompressesAreTheSameInTheSameOrder(t *testing.T) {
	t.Parallel()
	rows := bookings(20_000)
	alone := rowGroup(t, rows, nil)

	helpers := make(chan *dataPage)
	helped := 0
	var helper sync.WaitGroup
	helper.Go(func() {
		for p := range helpers {
			helped++
			p.compress()
		}
	})
	together := rowGroup(t, rows, helpers)
	close(helpers)
	helper.Wait()
	if helped < 2 {
		t.Errorf("helpers compressed %d pages: the test shows nothing", helped)
	}
	if !slices.EqualFunc(alone, together, bytes.Equal) {
		t.Error("columns differ")
	}
}
