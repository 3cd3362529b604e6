package parquet

import "fmt"

// columnReader is how the values of a column are read.
type columnReader[T any] struct {
	typ    int32
	values func(page []byte, n int) ([]T, error) // that stand one after the other
	each   func(row int, v T)
}

// read goes through the pages of a column.
//
//	chunk ──► header ──► unpack ──► levels ──► which rows have a value
//	          │                └──► values, or numbers ──► each
//	          └ sizes are checked before room is made      ▲
//	                                       dictionary ─────┘ the first page, if there is one
func read[T any](g *Group, name string, of columnReader[T]) {
	c, from, to := g.chunk(name)
	if c == nil {
		return
	}
	if c.typ != of.typ {
		g.fail("column %s is of type %d, not %d", name, c.typ, of.typ)
		return
	}
	rest, err := g.reader.source.bytes(from, to)
	if err != nil {
		g.err = err
		return
	}
	optional := g.reader.footer.columns[g.reader.place[name]].optional
	var dictionary []T
	for row := 0; row < g.rows && g.err == nil; {
		var h pageHeader
		var page []byte
		if h, rest, err = readHeader(rest); err == nil {
			page, rest = rest[:h.packed], rest[h.packed:]
			into := &g.page
			if h.typ == pageOfDictionary {
				into = &g.dictionary // what it holds is needed for all pages that follow
			}
			page, err = g.unpack(c, h, page, into)
		}
		n := 0
		switch {
		case err != nil:
		case h.typ == pageOfDictionary && row == 0 && dictionary == nil:
			dictionary, err = readDictionary(h, page, of)
		case h.typ == pageOfData && h.values > 0 && h.values <= int64(g.rows-row):
			n = int(h.values) // at most the rows
			err = readPage(g, h, page, optional, dictionary, func(at int, v T) { of.each(row+at, v) }, of)
		default:
			err = fmt.Errorf("a page of kind %d with %d values", h.typ, h.values)
		}
		if err != nil {
			g.fail("column %s after %d rows: %w", name, row, err)
		}
		row += n
	}
}

// unpack decompresses a page if the row group may hold it.
func (g *Group) unpack(c *chunkMeta, h pageHeader, page []byte, into *[]byte) ([]byte, error) {
	if g.unpacked += h.plain; h.plain > c.plain || g.unpacked > g.reader.limits.Bytes {
		return nil, fmt.Errorf("a page of %d bytes, in a column of %d", h.plain, c.plain)
	}
	return unpack(c.codec, page, h.plain, into)
}

func readDictionary[T any](h pageHeader, page []byte, of columnReader[T]) ([]T, error) {
	if h.encoding != encodingPlain && h.encoding != encodingPlainDict {
		return nil, fmt.Errorf("a dictionary in encoding %d", h.encoding)
	}
	if h.values > 8*int64(len(page)) {
		return nil, errValues
	}
	return of.values(page, int(h.values)) // within the page
}

// readPage reads the values of a data page, whose slots are rows.
func readPage[T any](g *Group, h pageHeader, page []byte, optional bool, dictionary []T, each func(at int, v T), of columnReader[T]) (err error) {
	n := int(h.values)
	present := n
	if optional {
		if h.levels != encodingRLE {
			return fmt.Errorf("levels in encoding %d", h.levels)
		}
		g.levels = roomFor(g.levels, n)
		if page, err = sizedHybrid(page, 1, g.levels); err != nil {
			return err
		}
		present = 0
		for _, l := range g.levels {
			present += int(l) // 0 or 1, being a bit
		}
	}
	var values []T
	var isDictionary bool
	switch h.encoding {
	case encodingPlain:
		values, err = of.values(page, present)
	case encodingPlainDict, encodingDict:
		isDictionary, values = true, dictionary
		err = g.readNumbers(page, present, len(dictionary))
	case encodingRLE:
		values, err = readRuns(g, page, present, of)
	default:
		err = fmt.Errorf("values in encoding %d", h.encoding)
	}
	if err != nil {
		return err
	}
	next := 0
	for at := 0; at < n && g.err == nil; at++ {
		if optional && g.levels[at] == 0 {
			continue
		}
		if isDictionary {
			each(at, values[g.numbers[next]])
		} else {
			each(at, values[next])
		}
		next++
	}
	return nil
}

// readNumbers reads references into a dictionary of so many entries.
func (g *Group) readNumbers(page []byte, n, entries int) error {
	g.numbers = roomFor(g.numbers, n)
	if n == 0 {
		return nil
	}
	if len(page) == 0 || page[0] > 32 {
		return errLevels
	}
	if err := readHybrid(page[1:], int(page[0]), g.numbers); err != nil {
		return err
	}
	for _, number := range g.numbers {
		if int64(number) >= int64(entries) {
			return fmt.Errorf("number %d of a dictionary of %d", number, entries)
		}
	}
	return nil
}

// readRuns reads truth values that stand as runs.
func readRuns[T any](g *Group, page []byte, n int, of columnReader[T]) ([]T, error) {
	if of.typ != typeBool {
		return nil, fmt.Errorf("values of type %d in runs", of.typ)
	}
	g.numbers = roomFor(g.numbers, n)
	if _, err := sizedHybrid(page, 1, g.numbers); err != nil {
		return nil, err
	}
	packed := make([]byte, (n+7)/8)
	for i, v := range g.numbers {
		packed[i/8] |= byte(v) << (i % 8)
	}
	return of.values(packed, n)
}

// roomFor returns n numbers, which may be any.
func roomFor(b []uint32, n int) []uint32 {
	if cap(b) < n {
		return make([]uint32, n)
	}
	return b[:n]
}
