package finoos

// syntax checks values that nobody reads. It may stop between any two tokens
// and go on with another text, so a value need not fit into memory.
type syntax struct {
	around   int    // the brackets that are open around the value
	open     []byte // those of the value itself, the innermost last
	want     want
	miscoded bool // some text of it is not UTF-8
	tooDeep  bool // it has more brackets than it may have open
	deeper   bool // and it may have as many as maxPassed
}

// want is what may come next.
type want uint8

const (
	wantValue      want = iota // nothing but a value
	wantFirstValue             // a value or the end of its array
	wantName                   // nothing but a name
	wantFirstName              // a name or the end of its object
	wantColon
	wantNext // a comma or the end
)

// begin makes s ready for another value.
func (s *syntax) begin() {
	s.open, s.want, s.miscoded, s.tooDeep = s.open[:0], wantValue, false, false
}

// check goes on at b[i], and returns where the value has ended, and true. Where
// it goes no further, it returns the token that it cannot pass by, and the
// first byte that is wrong in it: where that is the mark at the end of b, s
// may go on at the token, with more of the text.
func (s *syntax) check(b []byte, i int) (at, wrong int, ended bool) {
	for {
		i = skipSpace(b, i)
		end, ok := i, false
		switch c := b[i]; {
		case s.want == wantName || s.want == wantFirstName && c != '}':
			end, ok = s.name(b, i)
		case s.want == wantColon:
			if ok = c == ':'; ok {
				s.want = wantValue
				end++
			}
		case s.want == wantNext && c == ',':
			s.want, ok = s.afterComma(), true
			end++
		case s.want == wantValue || s.want == wantFirstValue && c != ']':
			end, ok = s.value(b, i)
		case c == '}' || c == ']': // of a bracket that may end here
			if ok = c == s.open[len(s.open)-1]+2; ok {
				s.open, s.want = s.open[:len(s.open)-1], wantNext
				end++
			}
		}
		if !ok {
			return i, end, false
		}
		if i = end; s.want == wantNext && len(s.open) == 0 {
			return i, i, true
		}
	}
}

// name passes by a name, and by its colon if that is there.
func (s *syntax) name(b []byte, i int) (end int, ok bool) {
	if b[i] != '"' {
		return i, false
	}
	end, f, ok := stringEnd(b, i)
	if !ok {
		return end, false
	}
	s.miscoded = s.miscoded || f&miscoded != 0
	if at, ok := colonEnd(b, end); ok {
		s.want = wantValue
		return at, true
	}
	s.want = wantColon
	return end, true
}

// value passes by a scalar and the comma behind it, or by an opening bracket.
func (s *syntax) value(b []byte, i int) (end int, ok bool) {
	switch b[i] {
	case '{':
		s.want = wantFirstName
		return s.enter(b, i)
	case '[':
		s.want = wantFirstValue
		return s.enter(b, i)
	}
	end, f, ok := scalarEnd(b, i)
	if !ok {
		return end, false
	}
	s.miscoded = s.miscoded || f&miscoded != 0
	if s.want = wantNext; b[end] == ',' && len(s.open) > 0 {
		s.want = s.afterComma()
		end++
	}
	return end, true
}

func (s *syntax) afterComma() want {
	if s.open[len(s.open)-1] == '{' {
		return wantName
	}
	return wantValue
}

// enter opens the bracket at b[i], unless there are too many.
func (s *syntax) enter(b []byte, i int) (end int, ok bool) {
	most := maxNesting
	if s.deeper {
		most = maxPassed
	}
	if s.around+len(s.open) >= most {
		s.tooDeep = true
		return i, false
	}
	s.open = append(s.open, b[i])
	return i + 1, true
}

// valueEnd returns where the value that begins at b[i] ends, which must be all
// there and in UTF-8.
func (s *syntax) valueEnd(b []byte, i int) (end int, err error) {
	s.begin()
	end, wrong, ended := s.check(b, i)
	if !ended || s.miscoded {
		return wrong, errNoJSON
	}
	return end, nil
}

// valueAt is the value that should begin at b[i], which must be all there and
// in UTF-8.
func (s *syntax) valueAt(b []byte, i int) (v value, end int, err error) {
	if b[i] == kindObject || b[i] == kindArray {
		end, err = s.valueEnd(b, i)
		return value{raw: b[i:end]}, end, err
	}
	v, end, ok := scalarAt(b, i)
	if !ok {
		return v, end, errNoJSON
	}
	return v, end, nil
}
