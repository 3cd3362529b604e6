package parquet

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// fileOutput stands between the Parquet library and the file.
//
// It keeps errors to itself: the library drops some. The first one is kept, what
// follows is dropped, and the caller asks for err.
type fileOutput struct {
	w   io.Writer
	n   int64
	err error
	// seal takes the sums of a file that is to be sealed; nil where none is made.
	seal *sealer
}

// Write never fails.
func (o *fileOutput) Write(p []byte) (int, error) {
	if o.err == nil {
		n, err := o.w.Write(p)
		o.n += int64(n)
		o.seal.take(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		o.err = err
	}
	return len(p), nil
}

// Tell returns where the file ends by now.
func (o *fileOutput) Tell() int64 { return o.n }

// magic is what a Parquet file begins and ends with.
const magic = "PAR1"

func (o *fileOutput) begin() { _, _ = o.Write([]byte(magic)) }

// end writes the footer.
func (o *fileOutput) end(meta *metadata.FileMetaData) error {
	var footer bytes.Buffer
	if _, err := meta.WriteTo(&footer, nil); err != nil {
		return err
	}
	if o.seal != nil {
		if err := sealFooter(footer.Bytes()); err != nil {
			return err
		}
	}
	_, _ = o.Write(footer.Bytes())
	tail := binary.LittleEndian.AppendUint32(nil, uint32(footer.Len())) // the format's own limit
	_, _ = o.Write(append(tail, magic...))
	return o.err
}
