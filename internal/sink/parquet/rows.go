package parquet

import (
	"io"
)

// Options say how a file is written. The zero value is zstd, and no hook.
type Options struct {
	// Compression is "zstd" (level 1), "zstd:1" to "zstd:22", "snappy" or
	// "none". Empty is "zstd".
	Compression string
	// Hook is asked once for each column of the file; nil leaves all as it is.
	Hook Hook
	// About, where set, seals the file: see seal.go. It is asked when the file is
	// closed, and what it says stands in the footer.
	About func() string
}

// Hook says what becomes of a column's values on their way into a file: change is
// applied to each text, and is nil where they stay; drop makes all of them null,
// and then change, of a column of texts, returns "". It is called with a
// file's columns in their order, and change from one goroutine at a time.
type Hook func(c Column) (change func(string) string, drop bool)

// binding is what the buffers of one file have in common.
type binding struct {
	held int64 // bytes that the buffered rows take up
	hook Hook
}

// Rows is a file that takes rows of type R. It is not safe for concurrent use.
type Rows[R any] struct {
	*File
	puts  []func([]*R)
	nulls []func([]*R)
}

// New begins a file of the given name, which its schema has and errors say. It
// does not close w.
func New[R any](name string, fields []Field[R], w io.Writer, o Options) (*Rows[R], error) {
	b := &binding{hook: o.Hook}
	if b.hook == nil {
		b.hook = func(Column) (func(string) string, bool) { return nil, false }
	}
	rows := &Rows[R]{}
	var columns []Column
	var buffers []buffer
	for _, f := range fields {
		to, put := f.bind(f.Column, b)
		columns, buffers = append(columns, f.Column), append(buffers, to)
		rows.puts, rows.nulls = append(rows.puts, put), append(rows.nulls, nulls[R](to))
	}
	file, err := newFile(name, columns, buffers, w, o.Compression)
	if err != nil {
		return nil, err
	}
	file.binding, rows.File = b, file
	if o.About != nil {
		file.out.seal = newSealer(o.About)
	}
	return rows, nil
}

// Add takes rows apart, a column at a time: its buffer then stays at hand. Of the
// rows it keeps nothing but copies. Columns for which null says so are null
// whatever the rows hold; a nil one speaks of none. Whether columns that are
// Required have a value is for the caller to check.
//
// Nothing is written: the caller looks at [File.Held] and [File.Buffered], and
// calls [File.Flush] when there is enough for a row group.
func (r *Rows[R]) Add(rows []*R, null []bool) {
	for i, put := range r.puts {
		if i < len(null) && null[i] {
			put = r.nulls[i]
		}
		put(rows)
	}
	r.buffered += len(rows)
}
