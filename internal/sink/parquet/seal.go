package parquet

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// A sealed file says itself whether it is whole, also to who reads ranges of it. Its
// footer holds a SHA-256 of each column of each row group, and one of the footer, made
// while zeros stood in its place. So what is read is checked as it is read, with no
// more in memory than was asked for:
//
//	footer fetched ──► its own sum    column fetched ──► the sum that the footer has
//
// What nobody reads (the copies of the columns' metadata behind them) is in the sum of
// all that stands before the footer, which comes first among the sums.
const (
	aboutKey = "about"  // what the caller says of the file
	sumsKey  = "sums"   // base64, of all columns, in the order in which they stand
	sealKey  = "sha256" // hexadecimal, of the footer
)

// sealMark is how a seal begins in the footer: its key, a field's number, a length. It
// is there although damage lets the library see none.
var sealMark = []byte(sealKey + "\x18\x40")

// noSeal is what stands in the seal's place while it is made.
var noSeal = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// sealer takes the sums of a file that is being written. A nil one takes none.
type sealer struct {
	about  func() string
	whole  hash.Hash
	column hash.Hash // nil between columns
	sums   []byte    // of the columns so far
}

// newSealer begins behind the magic.
func newSealer(about func() string) *sealer {
	s := &sealer{about: about, whole: sha256.New()}
	s.take([]byte(magic))
	return s
}

// take adds what is written. A hash takes everything.
func (s *sealer) take(p []byte) {
	if s == nil {
		return
	}
	_, _ = s.whole.Write(p)
	if s.column != nil {
		_, _ = s.column.Write(p)
	}
}

func (s *sealer) beginColumn() {
	if s != nil {
		s.column = sha256.New()
	}
}

func (s *sealer) endColumn() {
	if s != nil {
		s.sums = s.column.Sum(s.sums)
		s.column = nil
	}
}

// describe writes down what the reader needs.
func (s *sealer) describe(meta *metadata.FileMetaDataBuilder) error {
	if s == nil {
		return nil
	}
	sums := base64.RawStdEncoding.EncodeToString(append(s.whole.Sum(nil), s.sums...))
	for _, kv := range [][2]string{{aboutKey, s.about()}, {sumsKey, sums}, {sealKey, noSeal}} {
		if err := meta.AppendKeyValueMetadata(kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

// sealFooter puts the seal into its place.
func sealFooter(footer []byte) error {
	at := bytes.LastIndex(footer, []byte(noSeal))
	if at < 0 {
		return fmt.Errorf("%w: a footer without a place for its seal", ErrCorrupt)
	}
	sum := sha256.Sum256(footer)
	hex.Encode(footer[at:], sum[:])
	return nil
}

// sealed is what a file that is read says of itself.
type sealed struct {
	about string
	sums  []byte
}

// of returns the sum with a number; nil where there is none.
func (s *sealed) of(n int) []byte {
	if from := n * sha256.Size; from >= 0 && from+sha256.Size <= len(s.sums) {
		return s.sums[from : from+sha256.Size]
	}
	return nil
}

// readSeal checks the footer; nil where it has no seal.
func readSeal(source *Source, meta *metadata.FileMetaData) (*sealed, error) {
	kv := meta.KeyValueMetadata()
	footer, err := source.footer()
	if err != nil {
		return nil, err
	}
	if len(kv) == 0 && !bytes.Contains(footer, sealMark) {
		return nil, nil //nolint:nilnil // that it has none is an answer
	}
	values := map[string]string{}
	for _, v := range kv {
		values[v.Key] = v.GetValue()
	}
	given := []byte(values[sealKey])
	at := bytes.LastIndex(footer, given)
	if len(given) != len(noSeal) || at < 0 {
		return nil, fmt.Errorf("%w: the footer's seal is broken", ErrCorrupt)
	}
	footer = bytes.Clone(footer)
	copy(footer[at:], noSeal)
	if sum := sha256.Sum256(footer); hex.EncodeToString(sum[:]) != string(given) {
		return nil, fmt.Errorf("%w: the footer's seal is broken", ErrCorrupt)
	}
	sums, err := base64.RawStdEncoding.DecodeString(values[sumsKey])
	if columns := len(meta.GetRowGroups()) * meta.Schema.NumColumns(); err != nil || len(sums) != (1+columns)*sha256.Size {
		return nil, fmt.Errorf("%w: the footer has not a sum for each column", ErrCorrupt)
	}
	return &sealed{about: values[aboutKey], sums: sums}, nil
}

// About returns what the writer of a sealed file has said of it; false for a file that
// is not sealed.
func (r *Reader) About() (string, bool) {
	if r.seal == nil {
		return "", false
	}
	return r.seal.about, true
}

// CheckWhole reads a sealed file from its beginning to its footer, and compares it with
// its sum. Of one that is not sealed it says nothing.
func (r *Reader) CheckWhole() error {
	if r.seal == nil {
		return nil
	}
	from, _, err := r.source.footerRange()
	if err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r.source.stored, 0, from)); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), r.seal.of(0)) {
		return fmt.Errorf("%w: what stands before the footer is not what was written", ErrCorrupt)
	}
	return nil
}

// checkColumn compares a column that was fetched with its sum.
func (g *Group) checkColumn(name string) error {
	place := g.reader.file.MetaData().Schema.ColumnIndexByName(name)
	if g.reader.seal == nil || place < 0 {
		return nil
	}
	from, to := g.rangeOf(name)
	body, err := g.reader.source.held(from, to)
	if err != nil {
		return err
	}
	n := 1 + g.index*g.reader.file.MetaData().Schema.NumColumns() + place
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], g.reader.seal.of(n)) {
		return fmt.Errorf("%w: column %s is not what was written", ErrCorrupt, name)
	}
	return nil
}

// tailLength is what follows the footer: its length and the magic.
const tailLength = 4 + int64(len(magic))

// footerRange is where the footer lies.
func (s *Source) footerRange() (from, to int64, err error) {
	to = s.size - tailLength
	tail := make([]byte, 4)
	if to < 0 {
		return 0, 0, fmt.Errorf("%w: a file of %d bytes", ErrCorrupt, s.size)
	}
	if n, err := s.ReadAt(tail, to); n < len(tail) {
		return 0, 0, err
	}
	from = to - int64(binary.LittleEndian.Uint32(tail))
	if from < int64(len(magic)) {
		return 0, 0, fmt.Errorf("%w: a footer that begins at %d", ErrCorrupt, from)
	}
	return from, to, nil
}

// footer returns the bytes of the footer.
func (s *Source) footer() ([]byte, error) {
	from, to, err := s.footerRange()
	if err == nil {
		err = s.Fetch(from, s.size)
	}
	if err != nil {
		return nil, err
	}
	return s.held(from, to)
}

// held is a range within the window.
func (s *Source) held(from, to int64) ([]byte, error) {
	if from < s.from || to < from || to > s.from+int64(len(s.window)) {
		return nil, fmt.Errorf("%w: bytes %d to %d were not fetched", ErrCorrupt, from, to)
	}
	return s.window[from-s.from : to-s.from], nil
}
