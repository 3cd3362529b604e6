package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// thrifty writes the compact protocol, true to it or not.
type thrifty struct{ b []byte }

func (w *thrifty) head(delta, typ byte) { w.b = append(w.b, delta<<4|typ) }

func (w *thrifty) number(delta byte, n int64) {
	w.head(delta, thriftInt64)
	w.b = binary.AppendVarint(w.b, n)
}

func (w *thrifty) text(delta byte, s string) {
	w.head(delta, thriftText)
	w.b = append(binary.AppendUvarint(w.b, uint64(len(s))), s...)
}

func (w *thrifty) list(delta, elem byte, n uint64) {
	w.head(delta, thriftList)
	w.b = append(w.b, 15<<4|elem)
	w.b = binary.AppendUvarint(w.b, n)
}

func (w *thrifty) stop() { w.b = append(w.b, 0) }

// evil is a file of one column, text, of which everything can be a lie.
type evil struct {
	codec                 int64
	typ                   int64
	optional              bool
	rows, values          int64 // of the row group, of its column
	plain, packed, offset int64 // 0 is what is there
	pages                 [][]byte
	schema                []byte // instead of the usual one
	groups                uint64 // how many the list says that there are
	footer                int64  // how long it says it is; 0 is the truth
}

// dataPage is a page with its header.
func evilPage(kind, plain, values, encoding int64, body []byte) []byte {
	w := &thrifty{}
	w.number(1, kind)
	w.number(1, plain)
	w.number(1, int64(len(body)))
	if kind == pageOfData {
		w.head(2, thriftStruct)
	} else {
		w.head(4, thriftStruct)
	}
	w.number(1, values)
	w.number(1, encoding)
	if kind == pageOfData {
		w.number(1, encodingRLE)
		w.number(1, encodingRLE)
	}
	w.stop()
	w.stop()
	return append(w.b, body...)
}

func (e evil) file() []byte {
	pages := bytes.Join(e.pages, nil)
	w := &thrifty{}
	w.number(1, 1)
	w.list(1, thriftStruct, 2)
	if e.schema != nil {
		w.b = append(w.b[:len(w.b)-1], e.schema...) // its length stands before it
	} else {
		w.text(4, "schema")
		w.number(1, 1)
		w.stop()
		w.number(1, e.typ)
		w.number(2, map[bool]int64{true: 1}[e.optional])
		w.text(1, "column")
		w.stop()
	}
	w.number(1, e.rows)
	w.list(1, thriftStruct, max(e.groups, 1))
	w.list(1, thriftStruct, 1)
	w.head(3, thriftStruct)
	w.number(1, e.typ)
	w.number(3, e.codec)
	w.number(1, e.values)
	w.number(1, either(e.plain, 1<<40))
	w.number(1, either(e.packed, int64(len(pages))))
	w.number(2, either(e.offset, 4))
	w.stop()
	w.stop()
	w.number(2, e.rows)
	w.stop()
	w.stop()
	out := append([]byte(magic), pages...)
	out = append(out, w.b...)
	out = binary.LittleEndian.AppendUint32(out, uint32(either(e.footer, int64(len(w.b)))))
	return append(out, magic...)
}

func either(n, otherwise int64) int64 {
	if n != 0 {
		return n
	}
	return otherwise
}

func texts2(texts ...string) (page []byte) {
	for _, s := range texts {
		page = appendText(page, s)
	}
	return page
}

// zeros are so many bytes, compressed.
func zeros(tb testing.TB, n int64) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.CopyN(w, zeroReader{}, n); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// allocated is parquettest.Allocated, which knows this package.
func allocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var testLimits = Limits{Rows: 1000, Bytes: 1 << 20}

// readAll reads all that can be read of a file, as texts are read and kept.
func readAll(body []byte, names ...string) (rows int, err error) {
	r, err := Open(NewSource(bytes.NewReader(body)), testLimits)
	if err != nil {
		return 0, err
	}
	for i := range r.Groups() {
		var kept [][]byte
		g, err := r.Group(i)
		if err != nil {
			return rows, err
		}
		if err := g.Fetch(names...); err != nil {
			return rows, err
		}
		for _, name := range names {
			r.Bounds(i, name)
			place, ok := r.place[name]
			if !ok {
				continue
			}
			switch r.footer.groups[i].chunks[place].typ {
			case typeBool:
				Read(g, name, func(row int, _ bool) { rows = max(rows, row+1) })
			case typeInt32:
				Read(g, name, func(row int, _ int32) { rows = max(rows, row+1) })
			case typeInt64:
				Read(g, name, func(row int, _ int64) { rows = max(rows, row+1) })
			default:
				ReadText(g, name, func(row int, v []byte) {
					if g.Keep(len(v)) {
						kept = append(kept, bytes.Clone(v))
						rows = max(rows, row+1)
					}
				})
			}
		}
		if err := g.Err(); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func TestAnHonestFileOfThisKindIsRead(t *testing.T) {
	t.Parallel()
	page := texts2("a", "bc", "def")
	for name, e := range map[string]evil{
		"plain":    {rows: 3, values: 3, pages: [][]byte{evilPage(pageOfData, int64(len(page)), 3, encodingPlain, page)}},
		"optional": {rows: 4, values: 4, optional: true, pages: [][]byte{evilPage(pageOfData, int64(len(page))+6, 4, encodingPlain, append([]byte{2, 0, 0, 0, 3, 0b1101}, page...))}},
		"numbers": {rows: 5, values: 5, pages: [][]byte{
			evilPage(pageOfDictionary, int64(len(page)), 3, encodingPlain, page), evilPage(pageOfData, 3, 5, encodingDict, []byte{2, 5 << 1, 2}),
		}},
		"one number, of no bits": {rows: 3, values: 3, pages: [][]byte{
			evilPage(pageOfDictionary, 5, 1, encodingPlain, texts2("a")), evilPage(pageOfData, 2, 3, encodingDict, []byte{0, 1<<1 | 1}),
		}},
	} {
		e.typ = typeText
		if rows, err := readAll(e.file(), "column"); err != nil || int64(rows) != e.rows {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
	}
}

// TestASmallFileTakesLittleMemoryWhateverItSays: each of these is some kilobytes, and
// says that it is gigabytes.
func TestASmallFileTakesLittleMemoryWhateverItSays(t *testing.T) {
	t.Parallel()
	bomb := zeros(t, 1<<30)
	text := texts2("a")
	one := [][]byte{evilPage(pageOfData, 5, 1, encodingPlain, text)}
	long := texts2(strings.Repeat("x", 1<<19), "y")
	many := []byte{1}
	for range 125 {
		many = append(many, 1<<1|1, 0b01010101)
	}
	deep := &thrifty{}
	deep.b = append([]byte{1}, bytes.Repeat([]byte{13<<4 | thriftStruct}, 100_000)...)
	tree := &thrifty{}
	tree.b = binary.AppendUvarint(tree.b, 1<<18)
	for range 1 << 18 {
		tree.text(4, "")
		tree.number(1, 1)
		tree.stop()
	}
	wide := &thrifty{}
	wide.b = append(wide.b, 2)
	wide.text(4, "schema")
	wide.number(1, 1<<31-1)
	wide.stop()
	wide.stop()
	for name, e := range map[string]evil{
		"a page of a gigabyte":              {codec: codecZstd, rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 1<<30, 1, encodingPlain, bomb)}},
		"a page larger than it says":        {codec: codecZstd, rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 1000, 1, encodingPlain, bomb)}},
		"a page larger than its column":     {codec: codecZstd, rows: 1, values: 1, plain: 10, pages: [][]byte{evilPage(pageOfData, 1000, 1, encodingPlain, zeros(t, 1000))}},
		"a snappy page of 4 GiB":            {codec: codecSnappy, rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 1000, 1, encodingPlain, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0})}},
		"a dictionary of a gigabyte":        {codec: codecZstd, rows: 1, values: 1, pages: [][]byte{evilPage(pageOfDictionary, 1<<30, 1, encodingPlain, bomb)}},
		"a dictionary of too many entries":  {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfDictionary, 5, 1<<31-1, encodingPlain, text)}},
		"another compression":               {codec: 2, rows: 1, values: 1, pages: one},
		"rows without end":                  {rows: 1 << 40, values: 1 << 40, pages: one},
		"more rows than a group has":        {rows: 1001, values: 1001, pages: one},
		"fewer than none":                   {rows: -1, values: -1, pages: one},
		"values without end":                {rows: 1, values: 1 << 40, pages: one},
		"a page of more values than rows":   {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 5, 1<<31-1, encodingPlain, text)}},
		"a page of no values":               {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 5, 0, encodingPlain, text)}},
		"a page that is less than nothing":  {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, -5, 1, encodingPlain, text)}},
		"a page of another kind":            {rows: 1, values: 1, pages: [][]byte{evilPage(3, 5, 1, encodingPlain, text)}},
		"values in another form":            {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 5, 1, 7, text)}},
		"texts in runs":                     {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 5, 1, encodingRLE, text)}},
		"numbers without a dictionary":      {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 3, 1, encodingDict, []byte{1, 2, 0})}},
		"numbers of too many bits":          {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfDictionary, 5, 1, encodingPlain, text), evilPage(pageOfData, 3, 1, encodingDict, []byte{33, 2, 0})}},
		"a number beyond the dictionary":    {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfDictionary, 5, 1, encodingPlain, text), evilPage(pageOfData, 3, 1, encodingDict, []byte{1, 2, 1})}},
		"two dictionaries":                  {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfDictionary, 5, 1, encodingPlain, text), evilPage(pageOfDictionary, 5, 1, encodingPlain, text)}},
		"a run of nothing, for ever":        {rows: 1, values: 1, optional: true, pages: [][]byte{evilPage(pageOfData, 8, 1, encodingPlain, []byte{4, 0, 0, 0, 0, 0, 0, 0})}},
		"levels that are not there":         {rows: 1, values: 1, optional: true, pages: [][]byte{evilPage(pageOfData, 4, 1, encodingPlain, []byte{0, 0, 0, 0})}},
		"levels that are longer than all":   {rows: 1, values: 1, optional: true, pages: [][]byte{evilPage(pageOfData, 4, 1, encodingPlain, []byte{255, 255, 255, 255})}},
		"a text that is longer than all":    {rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 4, 1, encodingPlain, []byte{255, 255, 255, 255})}},
		"one long text for every other row": {rows: 1000, values: 1000, pages: [][]byte{evilPage(pageOfDictionary, int64(len(long)), 2, encodingPlain, long), evilPage(pageOfData, int64(len(many)), 1000, encodingDict, many)}},
		"another type":                      {typ: 3, rows: 1, values: 1, pages: one},
		"a column that is elsewhere":        {rows: 1, values: 1, offset: 1 << 40, pages: one},
		"a column before the file":          {rows: 1, values: 1, offset: -4, pages: one},
		"a column without end":              {rows: 1, values: 1, packed: 1<<63 - 1, pages: one},
		"row groups without end":            {rows: 1, values: 1, groups: 1<<31 - 1, pages: one},
		"a footer of 4 GiB":                 {rows: 1, values: 1, footer: 1<<32 - 1, pages: one},
		"a footer that is deep":             {rows: 1, values: 1, pages: one, schema: deep.b},
		"a schema that is deep":             {rows: 1, values: 1, pages: one, schema: tree.b},
		"a schema that is wide":             {rows: 1, values: 1, pages: one, schema: wide.b},
	} {
		if e.typ == 0 {
			e.typ = typeText
		}
		file := e.file()
		var err error
		got := allocated(func() { _, err = readAll(file, "column") })
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
		// Other tests run beside this one.
		if most := uint64(8<<20 + 8*len(file)); got > most {
			t.Errorf("%s: a file of %d bytes takes %d, want at most %d", name, len(file), got, most)
		}
	}
}

func TestAFileThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "PAR1", "PAR1PAR1", strings.Repeat("x", 100), "PAR1\x00\x00\x00\x00PARE", "PAR1\x01\x00\x00\x00PAR1"} {
		if rows, err := readAll([]byte(body), "column"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %d rows, %v", body, rows, err)
		}
	}
}

// everyType is a row of all types that are read.
type everyType struct {
	text, unique, json string
	bytes              []byte
	flag               bool
	small              int32
	large              int64
	list               []string
}

var everyField = []Field[everyType]{
	Text("text", func(r *everyType) string { return r.text }),
	Text("unique", func(r *everyType) string { return r.unique }).Unique().NotNull(),
	JSONText("json", func(r *everyType) string { return r.json }),
	Opaque("bytes", func(r *everyType) []byte { return r.bytes }),
	Fixed("flag", Bool, func(r *everyType) (bool, bool) { return r.flag, r.small%3 > 0 }),
	Fixed("small", Int32, func(r *everyType) (int32, bool) { return r.small, true }).NotNull(),
	Fixed("large", Int64, func(r *everyType) (int64, bool) { return r.large, r.small%5 > 0 }),
	List("list", func(r *everyType) []string { return r.list }),
}

func everyFile(tb testing.TB, rows int, compression string) []byte {
	tb.Helper()
	var out bytes.Buffer
	f, err := New("every", everyField, &out, Options{Compression: compression})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range rows {
		r := &everyType{unique: strconv.Itoa(i), small: int32(i), large: int64(i) << 33, flag: i%2 == 0, list: []string{"x"}}
		if i%4 > 0 {
			r.text, r.json, r.bytes = fmt.Sprint("text ", i%7), "{}", []byte{byte(i)}
		}
		f.Add([]*everyType{r}, nil)
		if i%100 == 99 {
			if err := f.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

var everyColumn = []string{"text", "unique", "json", "bytes", "flag", "small", "large", "list", "column"}

// FuzzFile: whatever stands in a file, reading it ends, with an error or with all
// rows, and takes no more memory than some times its size.
func FuzzFile(f *testing.F) {
	for _, compression := range []string{"zstd", "snappy", "none"} {
		for _, rows := range []int{0, 1, 250} {
			f.Add(everyFile(f, rows, compression))
		}
	}
	page := texts2("a", "bc", "def")
	f.Add(evil{typ: typeText, rows: 3, values: 3, pages: [][]byte{evilPage(pageOfData, int64(len(page)), 3, encodingPlain, page)}}.file())
	f.Add(evil{typ: typeText, codec: codecZstd, rows: 1, values: 1, pages: [][]byte{evilPage(pageOfData, 1<<20, 1, encodingPlain, zeros(f, 1<<20))}}.file())
	f.Fuzz(func(t *testing.T, body []byte) {
		var err error
		got := allocated(func() { _, err = readAll(body, everyColumn...) })
		// A row group takes some bytes of the file, and may hold what the limits say.
		if most := uint64(4*testLimits.Bytes) * uint64(1+len(body)/64); got > most {
			t.Errorf("%d bytes take %d: %v", len(body), got, err)
		}
	})
}

func FuzzFooter(f *testing.F) {
	for _, rows := range []int{0, 1, 250} {
		body := everyFile(f, rows, "none")
		n, err := footerSize(body[len(body)-footerEnd:], int64(len(body)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body[int64(len(body))-footerEnd-n : len(body)-footerEnd])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var footer *footer
		var err error
		got := allocated(func() { footer, err = parseFooter(body) })
		if most := uint64(1<<20 + 64*len(body)); got > most {
			t.Errorf("%d bytes take %d: %v", len(body), got, err)
		}
		if err != nil {
			return
		}
		for _, g := range footer.groups {
			if g.rows < 0 || len(g.chunks) != len(footer.columns) {
				t.Errorf("a row group of %d rows, %d columns of %d", g.rows, len(g.chunks), len(footer.columns))
			}
		}
	})
}
