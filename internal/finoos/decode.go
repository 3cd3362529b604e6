package finoos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// This file is the only one that parses JSON. It checks the syntax of an
// answer and hands it out in pieces as value; a quicker engine goes here.

// maxRecord bounds what one record may take in memory, whatever the answer's
// size: an account's two years of balances are some 40 KiB.
const maxRecord = 16 << 20

// maxKept is the record beyond which a parser's memory is not kept.
const maxKept = 256 << 10

var (
	errNoList       = errors.New("holds no list")
	errNoJSON       = errors.New("not JSON")
	errEnd          = errors.New("end of the answer")
	errRecordTooBig = fmt.Errorf("a record beyond %d MiB", maxRecord>>20)
)

// Names may repeat and text may be in a wrong encoding: neither is worth a
// user's data. What is not UTF-8 reads as U+FFFD.
var lenient = []jsontext.Options{
	jsontext.AllowDuplicateNames(true),
	jsontext.AllowInvalidUTF8(true),
}

// parseValue checks a whole text that is in memory.
func parseValue(b []byte) (value, bool) {
	b = bytes.TrimSpace(b)
	if !jsontext.Value(b).IsValid(lenient...) {
		return nil, false
	}
	return clean(b), true
}

func clean(b []byte) value {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return b
}

// stream reads the list of an answer item by item, and passes by what stands
// around it. The list is the answer itself, or a member of it under one of
// names, or its only list if that is not empty: an empty one under a name that
// nobody documented does not mean that there is nothing.
type stream struct {
	open   func() io.Reader
	names  []string
	source *source
	dec    *jsontext.Decoder

	largest int // record so far, in bytes

	where   place
	found   bool   // a list was there under one of names
	under   string // the name that it stands under, "" for the answer itself
	items   int    // read so far
	foreign int    // lists under other names
	other   string // the last of these
	again   bool   // this is the second reading, for the list named other
	about   value  // the member that tells about pages
}

type place int

const (
	atStart place = iota
	inBareList
	inWrapper
	inWrappedList
	atEnd
)

func newStream(open func() io.Reader, names []string) *stream {
	s := &stream{open: open, names: names}
	s.rewind()
	return s
}

// parsers are kept for the memory of what they read ahead.
var parsers = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

func (s *stream) rewind() {
	s.source = &source{r: s.open(), left: maxRecord}
	if s.dec == nil {
		s.dec, _ = parsers.Get().(*jsontext.Decoder)
	}
	s.dec.Reset(s.source, lenient...)
	s.where = atStart
}

// close gives the parser back: what next returned is gone.
func (s *stream) close() {
	if s.largest <= maxKept {
		s.dec.Reset(failedReader{errClosed}) // it shall not keep the answer alive
		parsers.Put(s.dec)
	}
	s.dec = nil
}

// next returns the next item, valid until the following call, or io.EOF after
// the end of the answer.
func (s *stream) next() (value, error) {
	for {
		s.source.left = maxRecord
		var err error
		switch s.where {
		case atStart:
			err = s.begin()
		case inBareList, inWrappedList:
			if s.dec.PeekKind() != jsontext.KindEndArray {
				s.items++
				v, err := s.dec.ReadValue()
				s.largest = max(s.largest, len(v))
				return clean(v), s.failure(err)
			}
			err = s.leaveList()
		case inWrapper:
			err = s.member()
		case atEnd:
			err = s.end()
		}
		if errors.Is(err, errEnd) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, s.failure(err)
		}
	}
}

func (s *stream) begin() error {
	t, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case jsontext.KindBeginArray:
		s.where, s.found = inBareList, true
	case jsontext.KindBeginObject:
		s.where = inWrapper
	default:
		return errNoList
	}
	return nil
}

func (s *stream) leaveList() error {
	_, err := s.dec.ReadToken()
	if s.where == inBareList {
		s.where = atEnd
	} else {
		s.where = inWrapper
	}
	return err
}

// member reads the name of the wrapper's next member, and passes by its value
// unless it is the list.
func (s *stream) member() error {
	t, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() == jsontext.KindEndObject {
		s.where = atEnd
		return nil
	}
	name := t.String()
	isList := s.dec.PeekKind() == jsontext.KindBeginArray
	switch {
	case isList && nameIn(name, s.names):
		_, err = s.dec.ReadToken()
		s.where, s.found, s.under = inWrappedList, true, name
		return err
	case isList:
		s.foreign++
		s.other = name
	case nameIn(name, pageMembers):
		v, err := s.dec.ReadValue()
		s.about = bytes.Clone(clean(v))
		return err
	}
	return s.skip()
}

// skip passes by a value of any size in little memory.
func (s *stream) skip() error {
	for depth := s.dec.StackDepth(); ; {
		s.source.left = maxRecord
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		if s.dec.StackDepth() <= depth {
			return nil
		}
	}
}

// end checks that the answer is complete, and begins its second reading where
// the list stands under another name.
func (s *stream) end() error {
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errNoJSON // there is something after the end
	}
	switch {
	case s.again && s.items == 0:
		return errNoList
	case s.found:
		return errEnd
	case s.foreign == 1:
		s.names, s.again = []string{s.other}, true
		s.rewind()
		return nil
	}
	return errNoList
}

// failure tells what is wrong with the answer, without any of its content.
func (s *stream) failure(err error) error {
	switch {
	case err == nil:
		return nil
	case s.source.err != nil:
		return s.source.err
	case errors.Is(err, errNoList):
		return err
	}
	return fmt.Errorf("%w (at byte %d)", errNoJSON, s.dec.InputOffset())
}

// source feeds a parser, and keeps it from holding more than a record.
type source struct {
	r    io.Reader
	left int
	err  error // what the parser wraps beyond recognition
}

func (s *source) Read(p []byte) (int, error) {
	if s.left <= 0 {
		s.err = errRecordTooBig
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
