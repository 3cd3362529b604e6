package sink

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// parquetFile writes row groups from buffers. The library writes what stands
// around the pages: their headers, and what the footer says of them.
//
// The columns of a row group are encoded side by side, as many as there are
// processors: until it is written nobody else can go on with the table. So next
// to the buffered rows the row group is held in its compressed form.
type parquetFile struct {
	name    string
	out     *fileOutput
	props   *parquet.WriterProperties
	meta    *metadata.FileMetaDataBuilder
	columns []buffer

	groups   int
	buffered int   // rows in the buffers
	flushed  int64 // bytes that all rows before them held
}

// newParquetFile begins a file whose columns are buffered in the given ones.
func newParquetFile(name string, columns []Column, buffers []buffer, w io.Writer, compression string) (*parquetFile, error) {
	codec, level, err := parseCompression(compression)
	if err != nil {
		return nil, err
	}
	root, err := parquetSchema(name, columns)
	if err != nil {
		return nil, err
	}
	f := &parquetFile{name: name, out: &fileOutput{w: w}, props: writerProperties(columns, codec, level), columns: buffers}
	f.meta = metadata.NewFileMetadataBuilder(schema.NewSchema(root), f.props, nil)
	f.out.begin()
	return f, f.out.err
}

// flush writes the buffered rows, which held so many bytes, as a row group.
func (f *parquetFile) flush(held int64) error {
	if f.buffered > 0 {
		if err := f.writeRowGroup(); err != nil {
			return fmt.Errorf("write row group of %s: %w", f.name, err)
		}
		for _, c := range f.columns {
			c.reset()
		}
		f.buffered = 0
		f.flushed += held
	}
	if f.out.err != nil {
		return fmt.Errorf("write %s: %w", f.name, f.out.err)
	}
	return nil
}

func (f *parquetFile) writeRowGroup() error {
	group := f.meta.AppendRowGroup()
	chunks, helpers := make([]*columnChunk, len(f.columns)), make(chan *page)
	for i := range chunks {
		var err error
		if chunks[i], err = f.newChunk(group, f.groups, i, helpers); err != nil {
			return err
		}
	}
	if err := f.encode(chunks, helpers); err != nil {
		return err
	}
	var size int64
	for _, c := range chunks {
		if err := c.write(f.out); err != nil {
			return err
		}
		size += c.size
	}
	group.SetNumRows(f.buffered)
	f.groups++
	return group.Finish(size, int16(f.groups-1)) // a file has far fewer
}

// encode encodes all columns, those that hold most first. Who finds none left
// compresses pages for the others: one column may hold as much as all others
// together.
func (f *parquetFile) encode(chunks []*columnChunk, helpers chan *page) error {
	order := make([]int, len(chunks))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(f.columns[b].memory(), f.columns[a].memory()) })
	n := min(runtime.GOMAXPROCS(0), encodersAtOnce)
	var next, idle atomic.Int32
	var workers errgroup.Group
	for range n {
		workers.Go(func() (err error) {
			s := newScratch()
			for at := int(next.Add(1)); at <= len(order) && err == nil; at = int(next.Add(1)) {
				err = f.encodeColumn(order[at-1], chunks, s)
			}
			scratches.Put(s)
			if int(idle.Add(1)) == n {
				close(helpers)
			}
			for p := range helpers {
				p.compress()
			}
			return err
		})
	}
	return workers.Wait()
}

func (f *parquetFile) encodeColumn(i int, chunks []*columnChunk, s *scratch) error {
	err := f.columns[i].encode(chunks[i], s)
	if err == nil {
		err = chunks[i].settle()
	}
	if err != nil {
		return fmt.Errorf("column %s: %w", chunks[i].meta.Descr().Path(), err)
	}
	return nil
}

// encodersAtOnce bounds the working memory for a row group: each has up to three
// pages at hand, two of which may be with helpers.
const encodersAtOnce = 4

// size estimates the file's size if what is buffered were written: by the
// ratio of what was, or by a third as long as there is none.
func (f *parquetFile) size(held int64) int64 {
	if f.flushed == 0 {
		return f.out.n + held/3
	}
	return f.out.n + int64(float64(held)*float64(f.out.n)/float64(f.flushed))
}

// finish writes the footer.
func (f *parquetFile) finish() error {
	meta, err := f.meta.Finish()
	if err == nil {
		err = f.out.end(meta)
	}
	if err != nil {
		return fmt.Errorf("write footer of %s: %w", f.name, err)
	}
	return nil
}
