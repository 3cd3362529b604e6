package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/parquet/parquettest"
)

func TestEveryTableComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		for _, compression := range []string{"", "zstd:3", "snappy", "none"} {
			t.Run(table.Name+"/"+compression, func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(7, uint64(len(table.Columns))))
				var rows []Row
				var want [][]string
				for range 5000 {
					r := randomRow(rng, table)
					rows = append(rows, r)
					want = append(want, printRow(r, "run-1"))
				}
				// Small row groups: several, the last one not full.
				data := writeTable(t, FileOptions{RunID: "run-1", Compression: compression, RowGroupBytes: 200 << 10}, rows)
				columns, got := parquettest.Read(t, data)
				var names []string
				for _, c := range table.Columns {
					names = append(names, c.Name)
				}
				if diff := cmp.Diff(names, columns); diff != "" {
					t.Errorf("columns (-want +got):\n%s", diff)
				}
				for i := range want {
					if diff := cmp.Diff(want[i], got[i]); diff != "" {
						t.Fatalf("row %d (-want +got):\n%s", i, diff)
					}
				}
			})
		}
	}
}

// transaction returns a row that is complete but for what it is about.
func transaction(id string) *Transaction {
	return &Transaction{
		UserID: "u", AccountID: "a", TransactionID: id,
		Meta: Meta{Op: Upsert, ExtractedAt: time.Unix(1, 0)},
	}
}

func TestNullAndEmptyListsAreTwoThings(t *testing.T) {
	t.Parallel()
	lists := [][]string{nil, {}, {"a"}, {"", "b", "a"}, {}, nil, {""}}
	var rows []Row
	for i, tags := range lists {
		r := transaction(strconv.Itoa(i))
		r.Tags = tags
		rows = append(rows, r)
	}
	_, got := parquettest.Read(t, writeTable(t, FileOptions{}, rows))
	var tags []string
	for _, row := range got {
		tags = append(tags, row[15])
	}
	want := []string{null, `[]`, `["a"]`, `["","b","a"]`, `[]`, null, `[""]`}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestAnythingOfAnySizeComesBack(t *testing.T) {
	t.Parallel()
	var rows []Row
	var want [][]string
	for i := range 19_384 { // more than other writers' dictionaries take, in one row group
		r := transaction(strconv.Itoa(i))
		r.PartnerName = fmt.Sprintf("partner %d", i)
		r.PartnerBIC = strconv.Itoa(i % 7)
		if r.BookingText = ""; i%50 > 0 { // the same in several rows, in all more bytes than these take
			r.BookingText = fmt.Sprintf("%d %s", i/5, strings.Repeat("x", 200))
		}
		if i%3 > 0 {
			r.Tags = []string{strconv.Itoa(i), "x", strconv.Itoa(i / 2)}
		}
		switch i {
		case 100:
			r.Purpose = strings.Repeat("lang ", 1<<20) // far more than a page
		case 200:
			for n := range 50_000 { // more slots than a batch
				r.Tags = append(r.Tags, strconv.Itoa(n%300))
			}
		}
		rows = append(rows, r)
		want = append(want, printRow(r, "run-1"))
	}
	data := writeTable(t, FileOptions{RunID: "run-1", RowGroupBytes: 1 << 30}, rows)
	if n := parquettest.Open(t, data).NumRowGroups(); n != 1 {
		t.Fatalf("%d row groups, want 1: the test is about one", n)
	}
	_, got := parquettest.Read(t, data)
	for i := range want {
		if !slices.Equal(want[i], got[i]) {
			t.Fatalf("row %d: %.300q, want %.300q", i, got[i], want[i])
		}
	}
}

func TestAFileWithoutRowsIsAFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f, err := NewFile(usersTable, &out, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if columns, rows := parquettest.Read(t, out.Bytes()); len(columns) != len(usersTable.Columns) || len(rows) != 0 {
		t.Errorf("%d columns, %d rows", len(columns), len(rows))
	}
}

func TestARowGroupIsWrittenWhenItsBytesOrRowsAreReached(t *testing.T) {
	t.Parallel()
	const limit = 256 << 10
	f, err := NewFile(categorizationTable, io.Discard, FileOptions{RowGroupBytes: limit})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200_000 {
		r := &Categorization{
			UserID: strconv.Itoa(i / 100), AccountID: "a", TransactionID: strconv.Itoa(i), Tag: "t",
			Meta: Meta{Op: Upsert, ExtractedAt: time.Unix(1, 0)},
		}
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
		if f.Held() >= limit {
			t.Fatalf("%d bytes held after row %d, want less than %d", f.Held(), i, limit)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f.Held() != 0 {
		t.Errorf("%d bytes held after Close", f.Held())
	}

	var rows []Row
	for i := range maxRowGroupRows + 10 {
		rows = append(rows, &AccountHistory{
			UserID: "u", AccountID: "a", Date: Date{Days: int32(i), Valid: true},
			Meta: Meta{Op: Upsert, ExtractedAt: time.Unix(1, 0)},
		})
	}
	r := parquettest.Open(t, writeTable(t, FileOptions{RowGroupBytes: 1 << 30}, rows))
	if got := r.RowGroup(0).NumRows(); got != maxRowGroupRows {
		t.Errorf("first row group has %d rows, want %d", got, maxRowGroupRows)
	}
}

func TestSizeForetellsTheFile(t *testing.T) {
	t.Parallel()
	f, err := NewFile(transactionsTable, io.Discard, FileOptions{RowGroupBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range bankDay(10_000) {
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if f.Held() == 0 {
		t.Fatal("nothing is buffered: the test is about what is")
	}
	estimate := f.Size()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if size := f.Size(); estimate < size*8/10 || estimate > size*12/10 {
		t.Errorf("estimated %d bytes, the file has %d", estimate, size)
	}
}

func TestAnIncompleteRowIsRefusedAndTheFileGoesOn(t *testing.T) {
	t.Parallel()
	whole := transaction("1")
	broken := map[string]func(*Transaction) Row{
		"no user":       func(r *Transaction) Row { r.UserID = ""; return r },
		"no id":         func(r *Transaction) Row { r.TransactionID = ""; return r },
		"no op":         func(r *Transaction) Row { r.Op = ""; return r },
		"unknown op":    func(r *Transaction) Row { r.Op = "replace"; return r },
		"no instant":    func(r *Transaction) Row { r.ExtractedAt = time.Time{}; return r },
		"another table": func(*Transaction) Row { return &User{UserID: "u", Meta: whole.Meta} },
	}
	var out bytes.Buffer
	f, err := NewFile(transactionsTable, &out, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, breakIt := range broken {
		if err := f.Append(breakIt(transaction("2"))); !errors.Is(err, ErrRow) {
			t.Errorf("%s: %v, want ErrRow", name, err)
		}
		if err := f.Append(whole); err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, rows := parquettest.Read(t, out.Bytes()); len(rows) != len(broken) {
		t.Errorf("%d rows, want %d", len(rows), len(broken))
	}
}

// The API may leave a text of a key out: then it is empty, and never null, in a row
// that deletes as in one that sets. What no row can do without is refused.
func TestAKeyHasNoNullAndLacksNothingThatItNeeds(t *testing.T) {
	t.Parallel()
	meta, gone := transaction("1").Meta, transaction("1").Meta
	gone.Op = Delete
	today := DateOf(time.Unix(0, 0))
	for _, m := range []Meta{meta, gone} {
		for _, tt := range []struct {
			row   Row
			lacks []string // columns that are empty; where need is set, the row lacks that one
			need  string
		}{
			{&Transaction{UserID: "u", TransactionID: "t", Meta: m}, []string{"account_id"}, ""},
			{&Categorization{UserID: "u", TransactionID: "t", Meta: m}, []string{"account_id", "tag"}, ""},
			{&AccountHistory{UserID: "u", AccountID: "a", Date: today, Meta: m}, []string{"currency"}, ""},
			{&Transaction{UserID: "u", AccountID: "a", Meta: m}, nil, "transaction_id"},
			{&Categorization{UserID: "u", AccountID: "a", Tag: "rent", Meta: m}, nil, "transaction_id"},
			{&Categorization{AccountID: "a", TransactionID: "t", Tag: "rent", Meta: m}, nil, "user_id"},
			{&AccountHistory{UserID: "u", AccountID: "a", Currency: "EUR", Meta: m}, nil, "date"},
			{&AccountHistory{UserID: "u", Currency: "EUR", Date: today, Meta: m}, nil, "account_id"},
			{&Account{UserID: "u", Meta: m}, nil, "account_id"},
			{&Contract{UserID: "u", Meta: m}, nil, "contract_id"},
			{&BankLogin{UserID: "u", Meta: m}, nil, "bank_login_id"},
			{&Pull{UserID: "u", Meta: m}, nil, "stream"},
		} {
			what := fmt.Sprintf("%s, %s", Of(tt.row).Name, m.Op)
			var out bytes.Buffer
			f, err := NewFile(Of(tt.row), &out, FileOptions{RunID: "run"})
			if err != nil {
				t.Fatal(err)
			}
			err = f.Append(tt.row)
			if tt.need != "" {
				if !errors.Is(err, ErrRow) || !strings.Contains(err.Error(), tt.need) {
					t.Errorf("%s without %s: %v, want ErrRow", what, tt.need, err)
				}
				continue
			}
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatalf("%s without %v: %v", what, tt.lacks, err)
			}
			columns, rows := parquettest.Read(t, out.Bytes())
			for i, name := range columns {
				if want := slices.Contains(tt.lacks, name); (rows[0][i] == "") != want {
					t.Errorf("%s: %s is %q; empty are to be %v", what, name, rows[0][i], tt.lacks)
				}
			}
		}
	}
}

func TestAWriterThatFailsAnywhereIsReported(t *testing.T) {
	t.Parallel()
	var rows []Row
	for i := range 300 {
		rows = append(rows, transaction(strconv.Itoa(i)))
	}
	opts := FileOptions{RowGroupBytes: 8 << 10}
	size := len(writeTable(t, opts, rows))
	for left := 0; left < size; left += 61 {
		err := func() error {
			f, err := NewFile(transactionsTable, &parquettest.BrokenWriter{Left: left}, opts)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if err := f.Append(r); err != nil {
					return err
				}
			}
			return f.Close()
		}()
		if !errors.Is(err, parquettest.ErrBroken) {
			t.Fatalf("writer fails after %d of %d bytes: %v, want its error", left, size, err)
		}
	}
}

func TestAppendKeepsNothingOfTheRow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f, err := NewFile(transactionsTable, &out, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := transaction("")
	for i := range 10 {
		r.TransactionID, r.Tags = strconv.Itoa(i), append(r.Tags[:0], fmt.Sprint("tag", i))
		if err := f.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, rows := parquettest.Read(t, out.Bytes())
	for i, row := range rows {
		if row[2] != strconv.Itoa(i) || row[15] != fmt.Sprintf(`["tag%d"]`, i) {
			t.Errorf("row %d: id %s, tags %s", i, row[2], row[15])
		}
	}
}

func TestAnUnknownCompressionIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"gzip", "zstd:", "zstd:0", "zstd:23", "zstd:x", "ZSTD"} {
		if _, err := NewFile(usersTable, io.Discard, FileOptions{Compression: c}); err == nil {
			t.Errorf("compression %q was accepted", c)
		}
	}
}

// TestNoTextMakesAFileASealedOne writes what a sealed file's footer says of itself as
// the text of a row, of which the statistics hold a copy.
func TestNoTextMakesAFileASealedOne(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"about", "sums", "sha256"} {
		var out bytes.Buffer
		file, err := NewFile(contractsTable, &out, FileOptions{RunID: "run001"})
		if err != nil {
			t.Fatal(err)
		}
		text := "\x18" + string(rune(len(key))) + key + "\x18\x01x"
		row := &Contract{UserID: "u", ContractID: "c", PartnerName: text, Meta: Meta{Op: Upsert, Pull: Full}}
		row.ExtractedAt = row.ExtractedAt.AddDate(2025, 0, 0)
		if err := errors.Join(file.Append(row), file.Close()); err != nil {
			t.Fatal(err)
		}
		if tally, err := ReadTally(bytes.NewReader(out.Bytes()), contractsTable); err != nil || tally.Rows != 1 {
			t.Errorf("%q: %+v, %v", text, tally, err)
		}
	}
}
