package cursors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/parquet"
)

// ErrCorrupt says that a cursor file cannot be read.
var ErrCorrupt = parquet.ErrCorrupt

// ErrDamaged says that a cursor file is not the one that was written there.
var ErrDamaged = errors.New("the cursors are damaged")

// Object names the cursors of a commit, and says by what they are known.
type Object struct {
	Path string `json:"path"`
	Rows int64  `json:"rows"`
	// Bytes is the object's size, SHA256 the sum of all of it; records of earlier
	// versions do not tell.
	Bytes  int64  `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// About is what a cursor file says of itself. It stands under the file's seal.
type About struct {
	Key   string `json:"key"` // where the file belongs
	RunID string `json:"run_id,omitempty"`
	// Seq is the newest record of the log that the file knows of, and Record that
	// record's sum: of a checkpoint the last one that it covers.
	Seq    uint64 `json:"seq"`
	Record string `json:"record_sha256,omitempty"`
	Rows   int64  `json:"rows"`
}

// Write writes a cursor file as the function of that name does, with a seal, and with
// what it says of itself.
func (a About) Write(w io.Writer, cursors iter.Seq2[Cursor, error]) (rows int64, err error) {
	return write(w, cursors, func(rows int64) string {
		a.Rows = rows
		text, _ := json.Marshal(a) // texts and numbers can be
		return string(text)
	})
}

// Encode makes a sealed cursor file in memory: see the function of that name.
func (a About) Encode(cursors []Cursor) (body []byte, _ Object, err error) {
	var buf bytes.Buffer
	rows, err := a.Write(&buf, sortedCursors(cursors))
	if err != nil {
		return nil, Object{}, fmt.Errorf("encode cursors: %w", err)
	}
	sum := sha256.Sum256(buf.Bytes())
	return buf.Bytes(), Object{Path: a.Key, Rows: rows, Bytes: int64(buf.Len()), SHA256: hex.EncodeToString(sum[:])}, nil
}

// About returns what the file says of itself; nil for a file without a seal.
func (f *File) About() *About { return f.about }

// readAbout reads what a sealed file says of itself.
func readAbout(r *parquet.Reader) (*About, error) {
	text, is := r.About()
	if !is {
		return nil, nil //nolint:nilnil // that it says nothing is an answer
	}
	a := new(About)
	if err := json.Unmarshal([]byte(text), a); err != nil {
		return nil, fmt.Errorf("%w: what it says of itself: %w", parquet.ErrCorrupt, err)
	}
	return a, nil
}

// copyStep is how much of an object is asked for at once, and the most that is held of
// one that is copied.
const copyStep = 1 << 20

// Local is an object that was fetched whole.
type Local interface {
	parquet.Stored
	io.Closer
}

// heldCopy is one in memory, fileCopy one in a local file.
type heldCopy struct{ *bytes.Reader }

// Close gives nothing back.
func (heldCopy) Close() error { return nil }

type fileCopy struct {
	*os.File
	size int64
}

// Size returns how much was copied.
func (f *fileCopy) Size() int64 { return f.size }

// Fetch copies an object to where it can be read often, and returns its sum: to memory
// if it is small, else to a local file without a name, which lies in a folder. It
// is the caller's to close.
func Fetch(r bucket.Reader, dir string) (_ Local, sha256Hex string, err error) {
	sum := sha256.New()
	if r.Size() <= copyStep {
		body := make([]byte, r.Size())
		if err := readFull(r, body, 0); err != nil {
			return nil, "", err
		}
		_, _ = sum.Write(body) // a hash takes everything
		return heldCopy{bytes.NewReader(body)}, hex.EncodeToString(sum.Sum(nil)), nil
	}
	file, err := scratch.File(dir, "syncer-cursors")
	if err != nil {
		return nil, "", err
	}
	step := make([]byte, copyStep)
	for at := int64(0); at < r.Size() && err == nil; at += int64(len(step)) {
		step = step[:min(int64(len(step)), r.Size()-at)]
		if err = readFull(r, step, at); err == nil {
			_, _ = sum.Write(step) // a hash takes everything
			_, err = file.Write(step)
		}
	}
	if err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	return &fileCopy{File: file, size: r.Size()}, hex.EncodeToString(sum.Sum(nil)), nil
}

func readFull(r io.ReaderAt, p []byte, at int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// damaged says what is wrong with an object that a record names, "" if nothing is as
// far as the record tells.
func (o Object) damaged(size int64, sum string) string {
	switch {
	case o.Bytes > 0 && size != o.Bytes:
		return fmt.Sprintf("holds %d bytes, the record that names it says %d", size, o.Bytes)
	case o.SHA256 != "" && sum != o.SHA256:
		return fmt.Sprintf("has the checksum %s, the record that names it says %s", sum, o.SHA256)
	}
	return ""
}

// Open fetches the object, and compares it with what is known of it: [ErrDamaged] where
// it is another one. What the error says of the object begins with its path.
func (o Object) Open(r bucket.Reader, dir string) (*File, io.Closer, error) {
	if o.Bytes > 0 && r.Size() != o.Bytes { // before it is fetched
		return nil, nil, fmt.Errorf("%w: %s %s", ErrDamaged, o.Path, o.damaged(r.Size(), ""))
	}
	local, sum, err := Fetch(r, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch %s: %w", o.Path, err)
	}
	why := o.damaged(r.Size(), sum)
	if why == "" {
		var f *File
		if f, err = Open(local, true); err == nil && f.Rows() != o.Rows {
			err = fmt.Errorf("it holds %d cursors, the record that names it says %d", f.Rows(), o.Rows)
		}
		if err == nil {
			return f, local, nil
		}
		why = "cannot be read: " + err.Error()
	}
	return nil, nil, errors.Join(fmt.Errorf("%w: %s %s", ErrDamaged, o.Path, why), local.Close())
}
