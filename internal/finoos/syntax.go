package finoos

// syntax checks values that nobody reads. It may stop between any two tokens
// and go on with another text, so a value need not fit into memory.
type syntax struct {
	around   int    // the brackets that are open around the value
	open     []byte // those of the value itself, the innermost last
	want     want
	miscoded bool // some text of it is not UTF-8
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
func (s *syntax) begin() { s.open, s.want, s.miscoded = s.open[:0], wantValue, false }

// check goes on at b[i], and returns where the value has ended, and true. Where
// it goes no further, it returns the token that it cannot pass by, and the
// first byte that is wrong in it: where that is the mark at the end of b, s
// may go on at the token, with more of the text.
func (s *syntax) check(b []byte, i int) (at, wrong int, ended bool) {
	for {
		i = skipSpace(b, i)
		switch c := b[i]; {
		case s.wantsValue() && c != ']':
			if c == '{' || c == '[' {
				if !s.enter(c) {
					return i, i, false
				}
				i++
				continue
			}
			end, f, ok := scalarEnd(b, i)
			if !ok {
				return i, end, false
			}
			s.want, s.miscoded, i = wantNext, s.miscoded || f&miscoded != 0, end
		case c == '"' && (s.want == wantName || s.want == wantFirstName):
			end, f, ok := stringEnd(b, i)
			if !ok {
				return i, end, false
			}
			s.want, s.miscoded, i = wantColon, s.miscoded || f&miscoded != 0, end
			continue
		case c == ':' && s.want == wantColon:
			s.want = wantValue
			i++
			continue
		case c == ',' && s.want == wantNext:
			s.want = wantValue
			if s.open[len(s.open)-1] == '{' {
				s.want = wantName
			}
			i++
			continue
		case s.mayEnd(c):
			s.open, s.want = s.open[:len(s.open)-1], wantNext
			i++
		default:
			return i, i, false
		}
		if len(s.open) == 0 {
			return i, i, true
		}
	}
}

func (s *syntax) wantsValue() bool { return s.want == wantValue || s.want == wantFirstValue }

// mayEnd reports whether c ends the innermost object or array here.
func (s *syntax) mayEnd(c byte) bool {
	switch c {
	case '}':
		return (s.want == wantNext || s.want == wantFirstName) && s.open[len(s.open)-1] == '{'
	case ']':
		return (s.want == wantNext || s.want == wantFirstValue) && s.open[len(s.open)-1] == '['
	}
	return false
}

// enter opens a bracket, unless there are too many.
func (s *syntax) enter(bracket byte) bool {
	if s.around+len(s.open) == maxNesting {
		return false
	}
	s.open = append(s.open, bracket)
	s.want = wantFirstValue
	if bracket == '{' {
		s.want = wantFirstName
	}
	return true
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
