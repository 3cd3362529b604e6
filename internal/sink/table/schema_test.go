package table

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/parquet"
	"finoos-syncer/internal/sink/parquet/parquettest"
)

const contractsSchema = `required group field_id=-1 contracts {
  required byte_array field_id=-1 user_id (String);
  required byte_array field_id=-1 contract_id (String);
  optional byte_array field_id=-1 partner_id (String);
  optional byte_array field_id=-1 partner_name (String);
  optional int64 field_id=-1 amount (Decimal(precision=18, scale=4));
  optional byte_array field_id=-1 amount_consistency (String);
  optional byte_array field_id=-1 interval (String);
  optional byte_array field_id=-1 duration (String);
  optional byte_array field_id=-1 category (String);
  optional group field_id=-1 tags (List) {
    repeated group field_id=-1 list {
      required byte_array field_id=-1 element (String);
    }
  }
  optional int32 field_id=-1 next_booking_date (Date);
  optional int32 field_id=-1 next_booking_from (Date);
  optional int32 field_id=-1 next_booking_to (Date);
  optional byte_array field_id=-1 mandate_reference (String);
  optional boolean field_id=-1 is_active;
  optional group field_id=-1 transaction_ids (List) {
    repeated group field_id=-1 list {
      required byte_array field_id=-1 element (String);
    }
  }
  optional byte_array field_id=-1 partner (String);
  optional byte_array field_id=-1 attributes (String);
  required byte_array field_id=-1 _op (String);
  optional byte_array field_id=-1 _pull (String);
  optional byte_array field_id=-1 _correlation_id (String);
  optional int64 field_id=-1 _correlation_at (Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false));
  required int64 field_id=-1 _extracted_at (Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false));
  required byte_array field_id=-1 _run_id (String);
  optional byte_array field_id=-1 _extra (String);
}
`

func TestColumnsHaveTheirTypesInParquet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	r := parquettest.Open(t, writeTable(t, FileOptions{}, []Row{randomRow(rng, contractsTable)}))
	if diff := cmp.Diff(contractsSchema, parquettest.Schema(r)); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	// Older readers know the types by other names.
	converted := map[string]parquettest.ConvertedType{
		"partner":           parquettest.ConvertedTypes.UTF8,
		"amount":            parquettest.ConvertedTypes.Decimal,
		"next_booking_date": parquettest.ConvertedTypes.Date,
		"_extracted_at":     parquettest.ConvertedTypes.TimestampMicros,
		"tags":              parquettest.ConvertedTypes.List,
	}
	root := r.MetaData().Schema.Root()
	for name, want := range converted {
		if got := root.Field(root.FieldIndexByName(name)).ConvertedType(); got != want {
			t.Errorf("converted type of %s is %v, want %v", name, got, want)
		}
	}
	if got := r.MetaData().GetCreatedBy(); got != "syncer version 1.0.0" {
		t.Errorf("created by %q", got)
	}
}

// chunks yields the metadata of every column chunk of a file.
func chunks(t *testing.T, r *parquettest.Reader, each func(group, column int, chunk *parquettest.ChunkMetaData)) {
	t.Helper()
	for g := range r.NumRowGroups() {
		meta := r.RowGroup(g).MetaData()
		for c := range meta.NumColumns() {
			chunk, err := meta.ColumnChunk(c)
			if err != nil {
				t.Fatal(err)
			}
			each(g, c, chunk)
		}
	}
}

func TestStatisticsTellTheTruth(t *testing.T) {
	t.Parallel()
	for _, table := range Tables() {
		t.Run(table.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 3))
			var rows []Row
			for range 3000 {
				rows = append(rows, randomRow(rng, table))
			}
			data := writeTable(t, FileOptions{RunID: "r", RowGroupBytes: 100 << 10}, rows)
			_, want := parquettest.Read(t, data)
			r := parquettest.Open(t, data)
			first := make([]int, r.NumRowGroups()+1)
			for g := range r.NumRowGroups() {
				first[g+1] = first[g] + int(r.RowGroup(g).NumRows())
			}
			chunks(t, r, func(g, c int, chunk *parquettest.ChunkMetaData) {
				stats, err := chunk.Statistics()
				if err != nil || stats == nil {
					t.Fatalf("%s has no statistics: %v", table.Columns[c].Name, err)
				}
				if stats.HasDistinctCount() && chunkClaimsDistinct(r, g, c) {
					t.Errorf("%s claims %d distinct values", table.Columns[c].Name, stats.DistinctCount())
				}
				checkStats(t, table.Columns[c], stats, want[first[g]:first[g+1]], c)
			})
		})
	}
}

// chunkClaimsDistinct looks at what stands in the file: the library's reader
// says 0 where nothing does.
func chunkClaimsDistinct(r *parquettest.Reader, group, column int) bool {
	return r.MetaData().RowGroups[group].Columns[column].MetaData.Statistics.DistinctCount != nil
}

// checkStats compares a column's statistics with its values in one row group.
func checkStats(t *testing.T, c Column, stats parquettest.Statistics, rows [][]string, place int) {
	t.Helper()
	var texts []string
	nulls := int64(0)
	for _, row := range rows {
		switch row[place] {
		case null, "[]": // neither has a value in the leaf
			nulls++
		default:
			texts = append(texts, row[place])
		}
	}
	if !stats.HasNullCount() || stats.NullCount() != nulls {
		t.Errorf("%s has a null count of %d, want %d", c.Name, stats.NullCount(), nulls)
	}
	if b, ok := stats.(*parquettest.TextStatistics); ok && c.Type != TypeStringList && len(texts) > 0 {
		least, most := slices.Min(texts), slices.Max(texts)
		if !b.HasMinMax() || string(b.Min()) != least || string(b.Max()) != most {
			t.Errorf("%s has bounds %q and %q, want %q and %q", c.Name, b.Min(), b.Max(), least, most)
		}
	}
	if b, ok := stats.(*parquettest.Int32Statistics); ok && c.Type == TypeDate && len(texts) > 0 {
		least, most := Date{Days: b.Min(), Valid: true}, Date{Days: b.Max(), Valid: true}
		if least.String() != slices.Min(texts) || most.String() != slices.Max(texts) {
			t.Errorf("%s has bounds %v and %v, want %s and %s", c.Name, least, most, slices.Min(texts), slices.Max(texts))
		}
	}
}

// Some readers take a bound that is missing beside another for an empty text, and
// leave out what lies above.
func TestTextsHaveBothBoundsOrNone(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("z", parquet.StatsBytes+1)
	for name, tt := range map[string]struct {
		texts []string
		bound bool
	}{
		"both are short":                    {[]string{"Miete", "Strom"}, true},
		"the greatest is long":              {[]string{"Miete", long}, false},
		"the least is long":                 {[]string{"A" + long, "Strom"}, false},
		"both are as long as bounds can be": {[]string{long[1:], "Strom"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rows []Row
			for i, row := range bankDay(len(tt.texts)) {
				row.Purpose = tt.texts[i]
				rows = append(rows, row)
			}
			r := parquettest.Open(t, writeTable(t, FileOptions{}, rows))
			column := slices.IndexFunc(transactionsTable.Columns, func(c Column) bool { return c.Name == "purpose" })
			stats := r.MetaData().RowGroups[0].Columns[column].MetaData.Statistics
			if least, most := stats.MinValue != nil, stats.MaxValue != nil; least != tt.bound || most != tt.bound {
				t.Errorf("least %v, most %v, want both to be %v", least, most, tt.bound)
			}
			if stats.NullCount == nil || *stats.NullCount != 0 {
				t.Errorf("%v null values", stats.NullCount)
			}
		})
	}
}

func TestPagesAreBoundedAndCountNothingTheyDidNotCount(t *testing.T) {
	t.Parallel()
	var rows []Row
	for i, r := range bankDay(20_000) {
		for n := range 14 { // references into a dictionary, more than fit into a page
			r.Tags = append(r.Tags, strconv.Itoa((i+n)%9))
		}
		rows = append(rows, r)
	}
	r := parquettest.Open(t, writeTable(t, FileOptions{Compression: "none", RowGroupBytes: 1 << 30}, rows))
	pages := 0
	for c, column := range transactionsTable.Columns {
		before := pages
		reader, err := r.RowGroup(0).GetColumnPageReader(c)
		if err != nil {
			t.Fatal(err)
		}
		for reader.Next() {
			page, ok := reader.Page().(*parquettest.DataPage)
			if !ok {
				continue
			}
			pages++
			if size := len(page.Data()); size > parquet.PageBytes+parquet.PageBytes/8 {
				t.Errorf("column %d has a page of %d bytes", c, size)
			}
			if stats := page.Statistics(); stats.HasDistinctCount {
				t.Errorf("column %d has a page that claims %d distinct values", c, stats.DistinctCount)
			}
		}
		if reader.Err() != nil {
			t.Fatal(reader.Err())
		}
		if column.Type == TypeStringList && pages-before < 2 {
			t.Errorf("%s has %d pages of references, want two at least", column.Name, pages-before)
		}
	}
	if pages < len(transactionsTable.Columns)+8 {
		t.Errorf("%d pages: the long columns should have several", pages)
	}
}

// There are readers that take the values of a page without a dictionary for null,
// in a list, and in a column that has pages with one.
func TestAColumnHasPagesOfOneKindAndListsADictionary(t *testing.T) {
	t.Parallel()
	const distinct = 20_000 // more than other writers' dictionaries take
	rng := rand.New(rand.NewPCG(1, 2))
	withDictionary := 0
	for _, tab := range Tables() {
		var rows []Row
		for i := range distinct {
			row := randomRow(rng, tab)
			for _, v := range reflect.ValueOf(row).Elem().Fields() {
				if v.Kind() == reflect.String {
					v.SetString(strconv.Itoa(i))
				}
			}
			rows = append(rows, row)
		}
		group := parquettest.Open(t, writeTable(t, FileOptions{RowGroupBytes: 1 << 30}, rows)).RowGroup(0)
		for i, c := range tab.Columns {
			chunk, err := group.MetaData().ColumnChunk(i)
			if err != nil {
				t.Fatal(err)
			}
			encodings := chunk.Encodings()
			has := slices.Contains(encodings, parquettest.RLEDict)
			plain := 0
			for _, e := range encodings {
				if e == parquettest.Plain {
					plain++
				}
			}
			if plain != 1 { // of the dictionary, or of all pages
				t.Errorf("%s.%s: encodings %v, want plain once", tab.Name, c.Name, encodings)
			}
			if c.Type == TypeStringList && !has {
				t.Errorf("%s.%s: encodings %v, want a dictionary", tab.Name, c.Name, encodings)
			}
			if has {
				withDictionary++
			}
		}
	}
	if withDictionary < 20 {
		t.Errorf("%d columns have a dictionary: the test is about these", withDictionary)
	}
}
