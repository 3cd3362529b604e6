package sink

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// columnChunk is one column of a row group on its way into the file. Its pages
// are encoded and compressed beside those of other columns, and held until it is
// the column's turn.
type columnChunk struct {
	meta  *metadata.ColumnChunkMetaDataBuilder
	pages file.PageWriter
	body  blocks // what pages were written so far

	helpers chan<- *page // takes a page where somebody has no column left
	waiting *page        // what a helper compresses, before any page that follows

	bounds   bool  // least and greatest values are wanted
	repeated bool  // there is a dictionary
	plain    bool  // there are pages without one
	size     int64 // before compression
	values   int64
	slots    int64
	complete bool
}

// Write takes the pages from the library.
func (c *columnChunk) Write(p []byte) (int, error) {
	if c.complete { // what follows the pages tells of a place that is not known yet
		return len(p), nil
	}
	return c.body.Write(p)
}

// Tell returns where the pages end by now, as if they were the first of the file.
func (c *columnChunk) Tell() int64 { return int64(len(magic)) + c.body.n }

// newChunk begins the next column of a row group, which has that place in the
// file.
func (f *parquetFile) newChunk(group *metadata.RowGroupMetaDataBuilder, groups, column int, helpers chan<- *page) (*columnChunk, error) {
	meta := group.NextColumnChunk()
	path := meta.Descr().Path()
	c := &columnChunk{meta: meta, helpers: helpers, bounds: f.props.StatisticsEnabledFor(path)}
	var err error
	c.pages, err = file.NewPageWriter(c, f.props.CompressionFor(path), f.props.CompressionLevelFor(path), meta,
		int16(groups), int16(column), memory.DefaultAllocator, false, nil, nil) // the places are for encrypted files
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", path, err)
	}
	return c, nil
}

// scratch is working memory for the column that is being encoded.
type scratch struct {
	page       []byte
	levels     []byte
	compressed bytes.Buffer
}

// scratches are shared by all files: few of their columns are encoded at a time.
var scratches = sync.Pool{New: func() any { return &scratch{page: make([]byte, 0, pageBytes+pageBytes/8)} }}

func newScratch() *scratch {
	s, ok := scratches.Get().(*scratch)
	if !ok {
		s = new(scratch)
	}
	return s
}

// begin begins a page with the levels of its slots; there are none where nothing
// can be null.
func (s *scratch) begin(levels []byte, lists bool) {
	s.page = s.page[:0]
	switch {
	case lists:
		s.levels = s.levels[:0]
		for _, l := range levels {
			s.levels = append(s.levels, l/levelSameRow)
		}
		s.page = appendLevels(s.page, s.levels, 1)
		s.levels = s.levels[:0]
		for _, l := range levels {
			s.levels = append(s.levels, l&levelMask)
		}
		s.page = appendLevels(s.page, s.levels, widthOf(levelElement+1))
	case len(levels) > 0:
		s.page = appendLevels(s.page, levels, widthOf(levelValue+1))
	}
}

// page is one that is encoded, on its way into its chunk.
type page struct {
	scratch // where it is encoded and compressed

	of       *columnChunk
	slots    int
	repeated bool
	stats    metadata.EncodedStatistics
	body     []byte        // compressed
	ready    chan struct{} // closed when it is, by a helper
}

// add adds the page that s holds: so many slots, and those of them that have a
// value.
func (c *columnChunk) add(s *scratch, slots, values int, repeated bool, least, most []byte) error {
	c.plain = c.plain || !repeated
	c.size += int64(len(s.page))
	c.slots += int64(slots)
	c.values += int64(values)
	p := &page{scratch: *s, of: c, slots: slots, repeated: repeated, stats: c.statistics(slots-values, least, most)}
	return c.pass(p, s)
}

// pass compresses a page and writes it, or lets a helper compress it and has it
// written before the next. Then the page keeps the memory, and s gets other.
func (c *columnChunk) pass(p *page, s *scratch) error {
	p.ready = make(chan struct{})
	select {
	case c.helpers <- p:
		*s = *newScratch()
		err := c.settle()
		c.waiting = p
		return err
	default:
		p.compress()
		if err := c.settle(); err != nil {
			return err
		}
		*s = p.scratch // it may have grown
		return c.put(p)
	}
}

// settle writes the page that a helper compresses, if there is one.
func (c *columnChunk) settle() error {
	p := c.waiting
	if p == nil {
		return nil
	}
	c.waiting = nil
	<-p.ready
	err := c.put(p)
	s := p.scratch // without the page around it, which knows the chunk
	scratches.Put(&s)
	return err
}

func (p *page) compress() {
	p.body = p.scratch.page
	if p.of.pages.HasCompressor() {
		p.compressed.Reset()
		p.body = p.of.pages.Compress(&p.compressed, p.scratch.page)
	}
	close(p.ready)
}

func (c *columnChunk) put(p *page) error {
	encoding := parquet.Encodings.Plain
	if p.repeated {
		encoding = parquet.Encodings.RLEDict
	}
	_, err := c.pages.WriteDataPage(file.NewDataPageV1WithStats(memory.NewBufferBytes(p.body), int32(p.slots), encoding, // of a row group
		parquet.Encodings.RLE, parquet.Encodings.RLE, int32(len(p.scratch.page)), p.stats)) // a page is far smaller
	return err
}

// addDictionary adds the values that pages refer to, before these. The library
// compresses them.
func (c *columnChunk) addDictionary(s *scratch, entries int) error {
	c.repeated = true
	c.size += int64(len(s.page))
	_, err := c.pages.WriteDictionaryPage(file.NewDictionaryPage(memory.NewBufferBytes(s.page), int32(entries), parquet.Encodings.Plain)) // see dictionaryEntries
	return err
}

// statistics says what a reader may know of a page or a chunk. Nobody counts
// distinct values. Bounds of which one is long are left out, as a shortened one
// would be wrong; both, since some readers take the one that is missing for an
// empty text, and leave the rows unread (apache/arrow issue 43382).
func (c *columnChunk) statistics(nulls int, least, most []byte) (stats metadata.EncodedStatistics) {
	if !c.bounds {
		return stats
	}
	stats.SetNullCount(int64(nulls))
	stats.Signed = c.meta.Descr().SortOrder() == schema.SortSIGNED
	if least != nil && len(least) <= statsBytes && len(most) <= statsBytes {
		stats.SetMin(least)
		stats.SetMax(most)
	}
	return stats
}

// finish says what the whole column is about. The footer, which repeats it, comes
// when the buffers that hold the bounds have been used again.
func (c *columnChunk) finish(least, most []byte) {
	if c.bounds {
		c.meta.SetStats(c.statistics(int(c.slots-c.values), bytes.Clone(least), bytes.Clone(most)))
	}
}

// write puts the column into the file. Only now it is known where it lies.
func (c *columnChunk) write(out *fileOutput) error {
	c.complete = true
	if err := c.pages.Close(c.repeated, c.repeated && c.plain); err != nil {
		return err
	}
	chunk, moved := c.meta.Contents(), out.n-int64(len(magic))
	chunk.FileOffset += moved
	chunk.MetaData.DataPageOffset += moved
	if at := chunk.MetaData.DictionaryPageOffset; at != nil {
		*at += moved
	}
	if err := c.body.writeTo(out); err != nil {
		return err
	}
	_, err := c.meta.WriteTo(out)
	return err
}
