package sink

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
)

// rowGroup encodes rows as a row group, column after column, of which helpers
// compress pages as long as they take them.
func rowGroup(t *testing.T, rows []Row, helpers chan *page) (columns [][]byte) {
	t.Helper()
	f, err := newTableFile(tableOf(rows[0]), io.Discard, fileOptions{RunID: "01JD"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.add(rows); err != nil {
		t.Fatal(err)
	}
	group := f.file.meta.AppendRowGroup()
	for i, column := range f.file.columns {
		c, err := f.file.newChunk(group, 0, i, helpers)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(column.encode(c, newScratch()), c.settle()); err != nil {
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
	var rows []Row
	for _, r := range bankDay(20_000) {
		rows = append(rows, r)
	}
	alone := rowGroup(t, rows, nil)

	helpers := make(chan *page)
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
