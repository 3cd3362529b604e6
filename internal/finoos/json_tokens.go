package finoos

import (
	"errors"
	"fmt"
	"io"
)

// A stream reads an answer by tokens and by values, of which the window has only
// the beginning at times. So nothing that looks wrong is called wrong before mend
// has had a look at more of the answer: the end of the window looks like a fault.

// peek passes by space, and returns the byte that follows.
func (s *recordStream) peek() (byte, error) {
	for {
		b := s.window.text()
		i := skipSpace(b, 0)
		s.window.pass(i)
		if i < len(b)-1 {
			return b[i], nil
		}
		if err := s.mend(0); err != nil {
			return 0, err
		}
	}
}

// separator passes by the comma before the next value or name of an object or
// array, or by closing, its end.
func (s *recordStream) separator(closing byte) (ended bool, err error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == closing:
		s.window.pass(1)
		s.between = true // what ended is a value of the object or array around it
		return true, nil
	case !s.between:
		s.between = true
		return false, nil
	case c != ',':
		return false, s.wrong(0)
	}
	s.window.pass(1)
	_, err = s.peek()
	return false, err
}

// name reads a member's name and the colon.
func (s *recordStream) name() (string, error) {
	for s.window.text()[0] == '"' {
		b := s.window.text()
		end, f, ok := stringEnd(b, 0)
		if !ok {
			if err := s.mend(end); err != nil {
				return "", err
			}
			continue // from the quote on: the text may have moved
		}
		name := value{b[:end], f}.text()
		s.window.pass(end)
		c, err := s.peek()
		switch {
		case err != nil:
			return "", err
		case c != ':':
			return "", s.wrong(0)
		}
		s.window.pass(1)
		return name, nil
	}
	return "", s.wrong(0)
}

// skip passes by a value of any size in little memory.
func (s *recordStream) skip() error {
	s.syntax.around = s.around()
	for s.syntax.begin(); ; {
		at, wrong, ended := s.syntax.check(s.window.text(), 0)
		s.window.pass(at) // what is checked makes room, so the window need not grow
		if ended {
			return nil
		}
		if err := s.mend(wrong - at); err != nil {
			return err
		}
	}
}

// skipDeep is skip of a value that is too large or nested too deeply to be shown.
func (s *recordStream) skipDeep() error {
	s.syntax.deeper = true
	defer func() { s.syntax.deeper = false }()
	return s.skip()
}

// value shows a value to read: see next.
func (s *recordStream) value(read func(b []byte) (end int, err error)) error {
	s.syntax.around = s.around()
	// A value that is cut off is read twice. Records of a list are alike in size, so
	// the window is filled for one like the last before the first try.
	for s.window.size() < s.usual && s.window.err == nil {
		if err := s.window.more(); err != nil {
			return err
		}
	}
	for {
		b := s.window.text()
		end, err := read(b)
		if err != nil { // cut off, miscoded, no JSON, or refused: only a review can tell
			var ended bool
			end, ended, err = s.review(b, read, err)
			if err == nil && !ended {
				continue
			}
		}
		if err != nil {
			return err
		}
		s.window.pass(end)
		s.usual = min(end, maxRecord/2) // one huge record must not make every read huge
		return nil
	}
}

// review looks at a value that could not be read: the error counts if the value
// is right and ended, and not just in a wrong encoding.
func (s *recordStream) review(b []byte, read func(b []byte) (end int, err error), err error) (end int, ended bool, _ error) {
	s.syntax.begin()
	end, wrong, ended := s.syntax.check(b, 0)
	switch {
	case !ended:
		return 0, false, s.mend(wrong)
	case s.syntax.miscoded: // end stays that of the text as it came
		// Names may repeat and text may be in a wrong encoding: neither is worth a
		// user's data.
		var text []byte
		text, s.repairs = repaired(b[:end])
		_, err = read(append(text, endMark))
		s.repairs = nil
	}
	return end, true, err
}

// mend reads more of the answer where what is wrong at text[i] may only be cut
// off.
func (s *recordStream) mend(i int) error {
	if i < s.window.size() {
		return s.wrong(i)
	}
	err := s.window.more()
	if errors.Is(err, io.EOF) {
		return s.wrong(i)
	}
	return err
}

// wrong is the error of text[i], without any of its content.
func (s *recordStream) wrong(i int) error {
	return fmt.Errorf("%w (at byte %d)", errNoJSON, s.window.at(i))
}
