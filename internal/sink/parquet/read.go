package parquet

import (
	"errors"
	"fmt"
)

// ErrCorrupt says that a file that we wrote cannot be read.
var ErrCorrupt = errors.New("corrupt file")

// Limits are what a row group holds at most that its writer made, of what is read of it.
// Whoever can replace a file could else have its reader make room for any number of
// rows, and unpack a few bytes into any number of them.
type Limits struct {
	Rows  int
	Bytes int64 // before compression
}

// Reader is a file whose footer was read. Whatever is wrong with the file, it
// answers with an error. It is not safe for concurrent use.
type Reader struct {
	source *Source
	limits Limits
	footer *footer
	place  map[string]int // of a column
	seal   *sealed        // nil where the file has none
}

// Open reads the footer. The source remains the caller's.
func Open(source *Source, limits Limits) (*Reader, error) {
	if source.size < footerEnd {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrCorrupt, source.size)
	}
	end, err := source.bytes(source.size-footerEnd, source.size)
	if err != nil {
		return nil, err
	}
	n, err := footerSize(end, source.size)
	if err != nil {
		return nil, err
	}
	body, err := source.bytes(source.size-footerEnd-n, source.size-footerEnd)
	if err != nil {
		return nil, err
	}
	r := &Reader{source: source, limits: limits, place: map[string]int{}}
	if r.footer, err = parseFooter(body); err != nil {
		return nil, err
	}
	for i, c := range r.footer.columns {
		if _, known := r.place[c.name]; c.name != "" && !known {
			r.place[c.name] = i
		}
	}
	if r.seal, err = readSeal(body, r.footer); err != nil {
		return nil, err
	}
	return r, nil
}

// Groups counts the row groups.
func (r *Reader) Groups() int { return len(r.footer.groups) }

// Rows counts the rows, as the row groups have it.
func (r *Reader) Rows() (n int64) {
	for _, g := range r.footer.groups {
		n += g.rows
	}
	return n
}

// Has says whether the file has a column of that name that is no list.
func (r *Reader) Has(column string) bool {
	_, ok := r.place[column]
	return ok
}

// Bounds returns the least and the greatest value of a column of Int32 in a row
// group. They are known where its statistics can be read.
func (r *Reader) Bounds(group int, column string) (least, most int32, known bool) {
	place, ok := r.place[column]
	if !ok {
		return 0, 0, false
	}
	c := r.footer.groups[group].chunks[place]
	return c.least, c.most, c.bounded && c.hasLeast && c.typ == typeInt32
}

// Group is a row group that is read column by column. The first error is kept;
// after it nothing is read.
type Group struct {
	reader *Reader
	index  int
	meta   *groupMeta
	rows   int
	err    error

	unpacked int64 // bytes of pages so far
	kept     int64 // bytes that were copied: see Keep

	// Reused from page to page.
	page, dictionary []byte
	levels, numbers  []uint32
}

// Group begins to read a row group.
func (r *Reader) Group(i int) (*Group, error) {
	meta := &r.footer.groups[i]
	if meta.rows > int64(r.limits.Rows) {
		return nil, fmt.Errorf("%w: a row group of %d rows", ErrCorrupt, meta.rows)
	}
	return &Group{reader: r, index: i, meta: meta, rows: int(meta.rows)}, nil
}

// Rows counts the rows.
func (g *Group) Rows() int { return g.rows }

// Err is the first error of all that was read.
func (g *Group) Err() error { return g.err }

// fail keeps the first error, which is one of the file.
func (g *Group) fail(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
	}
}

// Keep says whether so many bytes of texts may be copied. All that a row group keeps
// is no more than it may hold: texts that stand in it once can be referred to by every
// row.
func (g *Group) Keep(n int) bool {
	if g.kept += int64(n); g.kept > g.reader.limits.Bytes {
		g.fail("its texts are longer than a row group")
	}
	return g.err == nil
}

// Fetch makes the range of some columns the source's window, with one request;
// those that the file does not have are left out. An error of the source is
// returned, what is wrong with the file is kept.
func (g *Group) Fetch(columns ...string) error {
	var from, to int64
	for _, name := range columns {
		_, begin, end := g.chunk(name)
		if end == 0 {
			continue
		}
		if to == 0 || begin < from {
			from = begin
		}
		to = max(to, end)
	}
	if to-from > packedMost(g.reader.limits.Bytes) {
		g.fail("a row group of %d bytes", to-from)
	}
	if g.err != nil {
		return nil //nolint:nilerr // it is of the file, and kept
	}
	if err := g.reader.source.Fetch(from, to); err != nil {
		return err
	}
	for _, name := range columns {
		if _, begin, end := g.chunk(name); end > 0 && g.err == nil {
			g.err = g.reader.seal.check(g.index, g.reader.place[name], g.reader.source.held(begin, end))
		}
	}
	return nil
}

// packedMost is what so many bytes take where they cannot be compressed, with the
// headers of pages.
func packedMost(n int64) int64 { return n + n/8 + 1<<20 }

// chunk returns a column and where it lies; nil, 0 and 0 if the file has it not.
func (g *Group) chunk(name string) (c *chunkMeta, from, to int64) {
	place, ok := g.reader.place[name]
	if !ok || g.err != nil {
		return nil, 0, 0
	}
	c = &g.meta.chunks[place]
	from = c.data
	if c.dictionary > 0 {
		from = min(from, c.dictionary)
	}
	if size := g.reader.source.size; from < 0 || from > size || c.packed < 0 || c.packed > size-from {
		g.fail("column %s lies from %d on, %d bytes, in %d", name, from, c.packed, size)
		return nil, 0, 0
	}
	if c.packed > packedMost(g.reader.limits.Bytes) || c.values != int64(g.rows) {
		g.fail("column %s has %d values in %d bytes, in a row group of %d rows", name, c.values, c.packed, g.rows)
		return nil, 0, 0
	}
	return c, from, from + c.packed
}

// Read calls each for every value of a column that is not null. A column that the
// file does not have is null everywhere.
func Read[T Plain](g *Group, name string, each func(row int, v T)) {
	typ := int32(typeBool)
	switch any(*new(T)).(type) {
	case int32:
		typ = typeInt32
	case int64:
		typ = typeInt64
	}
	read(g, name, columnReader[T]{typ: typ, values: plainOf[T], each: each})
}

// ReadText is [Read] for String, JSON and Bytes. What each gets is valid during
// the call only.
func ReadText(g *Group, name string, each func(row int, v []byte)) {
	read(g, name, columnReader[[]byte]{typ: typeText, values: plainTexts, each: each})
}
