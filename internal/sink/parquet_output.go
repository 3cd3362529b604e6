package sink

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// fileOutput stands between the Parquet library and the file.
//
// It keeps errors to itself: the library panics on some and drops others. The
// first one is kept, what follows is dropped, and the caller asks for err.
//
// It also mends the footer, which claims for every column chunk that it holds
// 0 distinct values, a number that nobody counted; query planners believe it.
type fileOutput struct {
	w      io.Writer
	n      int64
	err    error
	footer *bytes.Buffer // while the footer is written
}

// Write never fails.
func (o *fileOutput) Write(p []byte) (int, error) {
	if o.footer != nil {
		return o.footer.Write(p)
	}
	if o.err == nil {
		o.write(p)
	}
	return len(p), nil
}

func (o *fileOutput) write(p []byte) {
	n, err := o.w.Write(p)
	o.n += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.err = err
}

// beginFooter holds back what is written from here on.
func (o *fileOutput) beginFooter() { o.footer = &bytes.Buffer{} }

// footerTail is the length of what follows the metadata: its own length in
// four bytes, and the magic number.
const footerTail = 8

// endFooter writes the mended footer.
func (o *fileOutput) endFooter() error {
	held := o.footer.Bytes()
	o.footer = nil
	if len(held) < footerTail {
		return fmt.Errorf("footer of %d bytes", len(held))
	}
	meta, err := metadata.NewFileMetaData(held[:len(held)-footerTail], nil)
	if err != nil {
		return fmt.Errorf("read footer back: %w", err)
	}
	for _, group := range meta.RowGroups {
		for _, chunk := range group.Columns {
			if stats := chunk.MetaData.Statistics; stats != nil {
				stats.DistinctCount = nil
			}
		}
	}
	n, err := meta.WriteTo(o, nil)
	if err != nil {
		return err
	}
	magic := held[len(held)-4:]
	tail := binary.LittleEndian.AppendUint32(nil, uint32(n)) //nolint:gosec // the format's own limit
	if _, err := o.Write(append(tail, magic...)); err != nil {
		return err
	}
	return o.err
}
