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
	seal, ok := footerText(footer, sealKey)
	if !ok || string(seal) != noSeal {
		return fmt.Errorf("%w: a footer without a place for its seal", ErrCorrupt)
	}
	sum := sha256.Sum256(footer)
	hex.Encode(seal, sum[:])
	return nil
}

// sealed is what a file that is read says of itself; nil of one without a seal.
type sealed struct {
	about   string
	sums    []byte
	columns int // of a row group
}

// readSeal checks a footer; nil where it has no seal. It looks for what it needs among
// the bytes: what stands around it may be damaged. Those of the row groups it leaves
// out, as texts of the rows are among them.
func readSeal(body []byte, f *footer) (*sealed, error) {
	own, groups, columns := body[f.behind:], len(f.groups), len(f.columns)
	seal, hasSeal := footerText(own, sealKey)
	about, hasAbout := footerText(own, aboutKey)
	text, hasSums := footerText(own, sumsKey)
	if !hasSeal && !hasAbout && !hasSums {
		return nil, nil //nolint:nilnil // that it has none is an answer
	}
	whole := bytes.Clone(body)
	if at := bytes.LastIndex(body, seal); hasSeal {
		copy(whole[at:at+len(seal)], noSeal)
	}
	if sum := sha256.Sum256(whole); hex.EncodeToString(sum[:]) != string(seal) {
		return nil, fmt.Errorf("%w: the seal of its footer is broken", ErrCorrupt)
	}
	sums, err := base64.RawStdEncoding.DecodeString(string(text))
	if !hasAbout || !hasSums || err != nil || len(sums) != (1+groups*columns)*sha256.Size {
		return nil, fmt.Errorf("%w: its footer has not a sum for each column", ErrCorrupt)
	}
	return &sealed{about: string(about), sums: sums, columns: columns}, nil
}

// footerText is the value of a key in the footer: the last one, as the file's own
// metadata stand behind those of its columns. In Thrift's compact form that is a field
// of a text, its length, the key, and the same of the value.
func footerText(footer []byte, key string) ([]byte, bool) {
	const text = 0x18
	begin := append([]byte{text, byte(len(key))}, key...) // keys are short
	at := bytes.LastIndex(footer, append(begin, text))
	if at < 0 {
		return nil, false
	}
	rest := footer[at+len(begin)+1:]
	n, digits := binary.Uvarint(rest)
	if digits <= 0 || n > uint64(len(rest)-digits) { // not negative, since digits were read of it
		return nil, false
	}
	return rest[digits : digits+int(n)], true // within rest
}

// check compares a column of a row group, by its place in the schema, with its sum.
func (s *sealed) check(group, place int, body []byte) error {
	if s == nil {
		return nil
	}
	at := (1 + group*s.columns + place) * sha256.Size
	sum := sha256.Sum256(body)
	if at < 0 || at+sha256.Size > len(s.sums) || !bytes.Equal(sum[:], s.sums[at:at+sha256.Size]) {
		return fmt.Errorf("%w: column %d of row group %d is not what was written", ErrCorrupt, place, group)
	}
	return nil
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
	if !bytes.Equal(sum.Sum(nil), r.seal.sums[:sha256.Size]) {
		return fmt.Errorf("%w: what stands before the footer is not what was written", ErrCorrupt)
	}
	return nil
}

// tailLength is what follows the footer: its length and the magic.
const tailLength = 4 + int64(len(magic))

// footerRange is where the footer lies.
func (s *Source) footerRange() (from, to int64, err error) {
	to = s.size - tailLength
	if to < 0 {
		return 0, 0, fmt.Errorf("%w: a file of %d bytes", ErrCorrupt, s.size)
	}
	if err := s.Fetch(to, s.size); err != nil {
		return 0, 0, err
	}
	from = to - int64(binary.LittleEndian.Uint32(s.held(to, to+4)))
	if from < int64(len(magic)) {
		return 0, 0, fmt.Errorf("%w: a footer that begins at %d", ErrCorrupt, from)
	}
	return from, to, nil
}

// held is a range that was fetched; nil of one that was not, as a damaged file may say.
func (s *Source) held(from, to int64) []byte {
	if from < s.from || to < from || to > s.from+int64(len(s.window)) {
		return nil
	}
	return s.window[from-s.from : to-s.from]
}
