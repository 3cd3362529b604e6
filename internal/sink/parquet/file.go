package parquet

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// File is a file that is being written, whatever its rows are: see [Rows]. The
// library writes what stands around the pages: their headers, and what the footer
// says of them. After an error of Flush, Shed or Close it is of no more use.
//
// The columns of a row group are encoded side by side, as many as there are
// processors: until it is written nobody else can go on with the table. So next
// to the buffered rows the row group is held in its compressed form.
type File struct {
	name    string
	out     *fileOutput
	props   *arrow.WriterProperties
	meta    *metadata.FileMetaDataBuilder
	columns []buffer
	binding *binding

	groups   int
	buffered int   // rows in the buffers
	flushed  int64 // bytes that all rows before them held
}

// newFile begins a file whose columns are buffered in the given ones.
func newFile(name string, columns []Column, buffers []buffer, w io.Writer, compression string) (*File, error) {
	codec, level, err := parseCompression(compression)
	if err != nil {
		return nil, err
	}
	root, err := schemaOf(name, columns)
	if err != nil {
		return nil, err
	}
	f := &File{name: name, out: &fileOutput{w: w}, props: writerProperties(columns, codec, level), columns: buffers}
	f.meta = metadata.NewFileMetadataBuilder(schema.NewSchema(root), f.props, nil)
	f.out.begin()
	return f, f.out.err
}

// Held returns the memory that buffered rows take up.
func (f *File) Held() int64 { return f.binding.held }

// Buffered counts the rows that are not written yet.
func (f *File) Buffered() int { return f.buffered }

// Flush writes the buffered rows as a row group, so that Held becomes zero. It does
// nothing where there are none.
func (f *File) Flush() error {
	held := f.binding.held
	f.binding.held = 0
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

func (f *File) writeRowGroup() error {
	group := f.meta.AppendRowGroup()
	chunks, helpers := make([]*columnChunk, len(f.columns)), make(chan *dataPage)
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

// encode encodes all columns, those that hold most first. One may hold as much as
// all others together, so a worker with no column left compresses pages of the
// others.
//
//	worker 1  column a ── a ── a ── a ── a ── end     sends to a helper that is
//	worker 2  column b ── end, helps ───────┐         waiting, never waits for one
//	worker 3  column c ── d ── end, helps ──┤
//	                                        ▼
//	          the last to end closes helpers: all return
//
// Nobody waits in a circle: helpers send nothing and only receive, until the channel
// is closed; a worker with columns waits for the one page that a helper has taken,
// and that page is compressed without waiting. A worker that fails helps as well:
// else the others would never be counted out, and the channel stay open.
func (f *File) encode(chunks []*columnChunk, helpers chan *dataPage) error {
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
			s := newWorkspace()
			for at := int(next.Add(1)); at <= len(order) && err == nil; at = int(next.Add(1)) {
				err = f.encodeColumn(order[at-1], chunks, s)
			}
			workspaces.Put(s)
			if int(idle.Add(1)) == n { // nobody sends any more
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

func (f *File) encodeColumn(i int, chunks []*columnChunk, s *workspace) error {
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

// Size estimates the file's size if what is buffered were written: by the ratio of
// what was, or by a third as long as there is none. Of a closed file it is exact.
func (f *File) Size() int64 {
	if f.flushed == 0 {
		return f.out.n + f.binding.held/3
	}
	return f.out.n + int64(float64(f.binding.held)*float64(f.out.n)/float64(f.flushed))
}

// Close writes what is left and the footer. It does not close what is written to.
func (f *File) Close() error {
	if err := f.Flush(); err != nil {
		return err
	}
	err := f.out.seal.describe(f.meta)
	var meta *metadata.FileMetaData
	if err == nil {
		meta, err = f.meta.Finish()
	}
	if err == nil {
		err = f.out.end(meta)
	}
	if err != nil {
		return fmt.Errorf("write footer of %s: %w", f.name, err)
	}
	return nil
}
