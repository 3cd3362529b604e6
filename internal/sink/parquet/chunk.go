package parquet

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/memory"
	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// columnChunk is one column of a row group on its way into the file. Its pages
// are encoded and compressed beside those of other columns, so that it cannot
// write to the file: it is held, compressed, until all columns before it stand
// there.
//
//	buffer ──► pages ──► body ─┐ encoded in any order, side by side
//	buffer ──► pages ──► body ─┤
//	                           ▼
//	                         file  written in the order of the schema
//
// It is used by one goroutine at a time, the one that encodes its column and then
// the one that writes the row group. Only compress is another's.
type columnChunk struct {
	meta  *metadata.ColumnChunkMetaDataBuilder
	pages file.PageWriter // puts a header before each page, and both into body
	body  blocks          // in memory of the pool: it is as large as the column is in the file

	helpers chan<- *dataPage // takes a page where a worker has no column left
	waiting *dataPage        // with a helper; its place is before any page that follows

	bounds   bool  // least and greatest values are wanted
	repeated bool  // there is a dictionary, which all pages refer to
	size     int64 // before compression
	values   int64
	slots    int64
	complete bool // no page follows
}

// Write takes the pages from the library. What it writes after the last one is
// dropped: that tells of a place in the file which is not known yet.
func (c *columnChunk) Write(p []byte) (int, error) {
	if c.complete {
		return len(p), nil
	}
	return c.body.Write(p)
}

// Tell returns where the pages end by now, as if they were the first of the file.
func (c *columnChunk) Tell() int64 { return int64(len(magic)) + c.body.n }

// newChunk begins the next column of a row group, which has that place in the
// file.
func (f *File) newChunk(group *metadata.RowGroupMetaDataBuilder, groups, column int, helpers chan<- *dataPage) (*columnChunk, error) {
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

// add adds the page that s holds: so many slots, and those of them that have a
// value.
func (c *columnChunk) add(s *workspace, slots, values int, repeated bool, least, most []byte) error {
	c.size += int64(len(s.page))
	c.slots += int64(slots)
	c.values += int64(values)
	p := &dataPage{workspace: *s, of: c, slots: slots, repeated: repeated, stats: c.statistics(slots-values, least, most)}
	return c.pass(p, s)
}

// pass compresses a page and writes it, or lets a helper compress it. It never
// waits for a helper to be free: the channel has no room, so that a send succeeds
// only if a helper is waiting at this moment.
//
//	encoding       page 1     page 2     page 3 ...
//	with a helper     └─ compress ─┐
//	into body                      page 1, then page 2
//
// A page that a helper has keeps the memory, and s gets other. At most one page of
// a column is with a helper, since the one before must stand in body first: that
// bounds the memory, and keeps the order.
func (c *columnChunk) pass(p *dataPage, s *workspace) error {
	p.ready = make(chan struct{})
	select {
	case c.helpers <- p:
		*s = *newWorkspace()
		err := c.settle()
		c.waiting = p
		return err
	default:
		p.compress()
		if err := c.settle(); err != nil {
			return err
		}
		*s = p.workspace // it may have grown
		return c.put(p)
	}
}

// settle writes the page that a helper compresses, if there is one. It waits for
// nobody but that helper, who waits for nobody: see [File.encode].
func (c *columnChunk) settle() error {
	p := c.waiting
	if p == nil {
		return nil
	}
	c.waiting = nil
	<-p.ready
	err := c.put(p)
	s := p.workspace // not the page: it holds on to the chunk, and the pool would to both
	workspaces.Put(&s)
	return err
}

func (c *columnChunk) put(p *dataPage) error {
	encoding := arrow.Encodings.Plain
	if p.repeated {
		encoding = arrow.Encodings.RLEDict
	}
	// A page has the slots of a row group at most, and is far smaller than 2 GiB.
	_, err := c.pages.WriteDataPage(file.NewDataPageV1WithStats(memory.NewBufferBytes(p.body), int32(p.slots), encoding,
		arrow.Encodings.RLE, arrow.Encodings.RLE, int32(len(p.workspace.page)), p.stats))
	return err
}

// addDictionary adds the values that pages refer to, before these. The library
// compresses them.
func (c *columnChunk) addDictionary(s *workspace, entries int) error {
	c.repeated = true
	c.size += int64(len(s.page))
	page := file.NewDictionaryPage(memory.NewBufferBytes(s.page), int32(entries), arrow.Encodings.Plain) // entries: bounded by the memory of a row group
	if cap(s.page) > 2*PageBytes {
		s.page = nil // not for the pool to keep
	}
	_, err := c.pages.WriteDictionaryPage(page)
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
	if least != nil && len(least) <= StatsBytes && len(most) <= StatsBytes {
		stats.SetMin(least)
		stats.SetMax(most)
	}
	return stats
}

// finish says what the whole column is about. Bounds are copied: the footer repeats
// them when the buffers that they lie in hold the rows of another row group.
func (c *columnChunk) finish(least, most []byte) {
	if c.bounds {
		c.meta.SetStats(c.statistics(int(c.slots-c.values), bytes.Clone(least), bytes.Clone(most)))
	}
}

// write puts the column into the file. Its place is known only now, since columns
// that stand before it may have been encoded after it: what was noted as if it
// began the file is moved by what stands there already.
func (c *columnChunk) write(out *fileOutput) error {
	c.complete = true // Close writes a footer of the chunk, with places that are not moved yet
	if err := c.pages.Close(c.repeated, false); err != nil {
		return err
	}
	chunk, moved := c.meta.Contents(), out.n-int64(len(magic))
	chunk.FileOffset += moved
	chunk.MetaData.DataPageOffset += moved
	if at := chunk.MetaData.DictionaryPageOffset; at != nil {
		*at += moved
	}
	out.seal.beginColumn()
	if err := c.body.writeTo(out); err != nil {
		return err
	}
	out.seal.endColumn()
	_, err := c.meta.WriteTo(out)
	return err
}
