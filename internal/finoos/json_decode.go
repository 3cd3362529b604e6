package finoos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

var (
	errNoList = errors.New("holds no list")
	errNull   = fmt.Errorf("null: %w", errNoList)
	errAbsent = fmt.Errorf("nothing at all: %w", errNoList)
	errNoJSON = errors.New("not JSON")
	errEnd    = errors.New("end of the answer")
)

// parseValue checks a whole text. It may write behind b.
func parseValue(b []byte) (value, bool) {
	v, _, ok := parseRepaired(b)
	return v, ok
}

// parseRepaired is parseValue, and tells where the text was repaired.
func parseRepaired(b []byte) (v value, repairs []int, ok bool) {
	b = append(bytes.TrimSpace(b), '\n', endMark)
	var s syntax
	end, _, ok := s.check(b, 0)
	if !ok || skipSpace(b, end) < len(b)-1 {
		return value{}, nil, false
	}
	if s.miscoded {
		b, repairs = repaired(b)
	}
	v, _ = valueAt(b, 0)
	return v, repairs, true
}

// recordStream reads the list of an answer item by item, and passes by what stands
// around it. The list is the answer itself, or a member of it under one of
// names, or its only list if that is not empty: an empty one under a name that
// nobody documented does not mean that there is nothing.
type recordStream struct {
	open  func() io.Reader
	names []string
	*parser

	where   place
	between bool   // something of the list or wrapper at hand has been read
	found   bool   // a list was there under one of names
	under   string // the name that it stands under, "" for the answer itself
	items   int    // read so far
	foreign int    // lists under other names
	null    bool   // null stands under one of names, or is the answer
	said    bool   // there is something else than lists, nulls and what tells about pages
	fault   bool   // and it reads like an error
	other   string // the last of these
	again   bool   // this is the second reading, for the list named other

	repairs []int // where what is shown was not in UTF-8
	about   value // the member that tells about pages
}

// parser is what a stream needs memory for.
type parser struct {
	window bodyWindow
	syntax syntax
	usual  int // size of the last item
}

// parsers are kept for their memory.
var parsers = sync.Pool{New: func() any { return new(parser) }}

type place int

const (
	atStart place = iota
	inBareList
	inWrapper
	inWrappedList
	atEnd
)

func newStream(open func() io.Reader, names []string) *recordStream {
	s := &recordStream{open: open, names: names}
	s.parser, _ = parsers.Get().(*parser)
	s.rewind()
	return s
}

func (s *recordStream) rewind() {
	s.window.reset(s.open())
	s.where, s.between, s.usual = atStart, false, 0
	s.syntax.begin() // what another answer was like is nothing to this one
}

// close gives the memory back: what next showed is gone.
func (s *recordStream) close() {
	if cap(s.window.buf) <= maxKept {
		s.window.r = nil // it shall not keep the answer alive
		parsers.Put(s.parser)
	}
	s.parser = nil
}

// next shows the next item to read, which returns where it ends. It is shown
// again with more of it if it was cut off, and repaired if it was not in UTF-8:
// what read returned before does not count then, be it an error or not. After
// the end of the answer next returns io.EOF.
func (s *recordStream) next(read func(b []byte) (end int, err error)) error {
	for {
		var err error
		switch s.where {
		case atStart:
			err = s.begin()
		case inBareList, inWrappedList:
			var ended bool
			if ended, err = s.separator(']'); err == nil && !ended {
				s.items++
				return s.value(read)
			} else if ended {
				s.leaveList()
			}
		case inWrapper:
			err = s.member()
		case atEnd:
			err = s.end()
		}
		if errors.Is(err, errEnd) {
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
}

func (s *recordStream) begin() error {
	c, err := s.peek()
	switch {
	case errors.Is(err, errNoJSON):
		return fmt.Errorf("%w: %w", errAbsent, err) // it has ended before it began
	case err != nil:
		return err
	case c == '[':
		s.where, s.found = inBareList, true
	case c == '{':
		s.where = inWrapper
	default:
		if err := s.skip(); err != nil {
			return err
		}
		if c == 'n' {
			return errNull
		}
		return errNoList
	}
	s.window.pass(1)
	return nil
}

// around is how many brackets are open.
func (s *recordStream) around() int {
	switch s.where {
	case atStart, atEnd:
		return 0
	case inWrappedList:
		return 2
	case inBareList, inWrapper:
	}
	return 1
}

func (s *recordStream) leaveList() {
	if s.where == inBareList {
		s.where = atEnd
	} else {
		s.where = inWrapper
	}
}

// member reads the name of the wrapper's next member, and passes by its value
// unless it is the list.
func (s *recordStream) member() error {
	ended, err := s.separator('}')
	if err != nil {
		return err
	}
	if ended {
		s.where = atEnd
		return nil
	}
	name, err := s.name()
	if err != nil {
		return err
	}
	c, err := s.peek()
	isList := c == '['
	switch {
	case err != nil:
		return err
	case isList && nameIn(name, s.names):
		s.window.pass(1)
		s.where, s.between, s.found, s.under = inWrappedList, false, true, name
		return nil
	case c == 'n':
		s.null = s.null || nameIn(name, s.names)
	case isList:
		s.foreign++
		s.other = name
	case nameIn(name, pageMembers):
		return s.value(func(b []byte) (int, error) {
			end, err := s.syntax.valueEnd(b, 0)
			if err == nil {
				s.about, _ = valueAt(bytes.Clone(b[:end+1]), 0)
			}
			return end, err
		})
	default:
		s.said, s.fault = true, s.fault || nameIn(name, errorMembers)
	}
	return s.skip()
}

// errorMembers are those of an error's body: what is null beside one is not empty.
var errorMembers = []string{"error", "errors", "message", "type", "status", "code"}

// end checks that the answer is complete, and begins its second reading where
// the list stands under another name.
func (s *recordStream) end() error {
	switch _, err := s.peek(); {
	case err == nil:
		return s.wrong(0) // there is something after the end
	case !errors.Is(err, errNoJSON):
		return err
	}
	switch {
	case s.again && s.items == 0 && !s.said:
		return errAbsent
	case s.again && s.items == 0:
		return errNoList
	case s.found:
		return errEnd
	case s.foreign == 1:
		s.names, s.again = []string{s.other}, true
		s.rewind()
		return nil
	case s.null && s.foreign == 0 && !s.fault:
		return errNull
	case s.foreign == 0 && !s.said:
		return errAbsent
	}
	return errNoList
}
