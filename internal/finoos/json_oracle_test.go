package finoos

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"
)

// What answers are, by jsontext and the plainest code: the walk of this package
// is compared with it. It reads as the package did before it had a grammar of
// its own.

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func cleaned(b []byte) []byte {
	if utf8.Valid(b) {
		return bytes.Clone(b)
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD"))
}

// oracleItems returns the items of an answer as they came, those before an error
// included.
func oracleItems(text string, names []string) (items [][]byte, err error) {
	found, foreign, other := false, 0, ""
	dec := jsontext.NewDecoder(strings.NewReader(text), lenient...)
	list := func() error {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		for found = true; dec.PeekKind() != jsontext.KindEndArray; {
			v, err := dec.ReadValue()
			if err != nil {
				return err
			}
			items = append(items, bytes.Clone(v))
		}
		_, err := dec.ReadToken()
		return err
	}
	switch dec.PeekKind() {
	case jsontext.KindBeginArray:
		err = list()
	case jsontext.KindBeginObject:
		_, _ = dec.ReadToken()
		for err == nil && dec.PeekKind() != jsontext.KindEndObject {
			var name jsontext.Token
			if name, err = dec.ReadToken(); err != nil {
				return items, err
			}
			text, isList := name.String(), dec.PeekKind() == jsontext.KindBeginArray
			if isList && nameIn(text, names) {
				err = list()
				continue
			}
			if isList {
				foreign, other = foreign+1, text
			}
			err = dec.SkipValue()
		}
		if err == nil {
			_, err = dec.ReadToken()
		}
	default:
		return nil, errNoList
	}
	if err != nil {
		return items, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return items, errNoJSON
	}
	if found {
		return items, nil
	}
	if foreign == 1 {
		if items, err = oracleItems(text, []string{other}); err == nil && len(items) > 0 {
			return items, nil
		}
	}
	return items, errNoList
}

type pair struct{ name, value []byte }

// oraclePairs are the members of an object, or the items of an array.
func oraclePairs(v []byte) (list []pair) {
	dec := jsontext.NewDecoder(bytes.NewReader(v), lenient...)
	begin, _ := dec.ReadToken()
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		var p pair
		if begin.Kind() == '{' {
			name, _ := dec.ReadValue()
			p.name = bytes.Clone(name)
		}
		value, _ := dec.ReadValue()
		p.value = bytes.Clone(value)
		list = append(list, p)
	}
	return list
}

func oracleText(v []byte) []byte {
	if v[0] != '"' {
		return v
	}
	text, _ := jsontext.AppendUnquote(nil, v)
	return text
}

func oracleLower(name []byte) string { return string(bytes.ToLower(oracleText(name))) }

func oracleSays(v []byte) bool { return string(v) != "null" && string(v) != `""` }

// oracleHash is the rule of HashVersion 1, path by path.
func oracleHash(path string, v []byte, skip *fieldTree, depth int) (sum uint64, err error) {
	if depth > maxDepth {
		return 0, errTooDeep
	}
	kind := string(jsontext.Kind(v[0]))
	switch {
	case v[0] == '{':
		for _, m := range oraclePairs(v) {
			name := oracleLower(m.name)
			if below := skip.child([]byte(name)); !below.isLeaf() {
				part, partErr := oracleHash(path+"\xff"+name, m.value, below, depth+1)
				sum, err = sum+part, errors.Join(err, partErr)
			}
		}
		return sum, err
	case v[0] == '[':
		items := oraclePairs(v)
		for i, item := range items {
			part, partErr := oracleHash(path+"\xfe"+strconv.Itoa(i), item.value, skip, depth+1)
			sum, err = sum+part, errors.Join(err, partErr)
		}
		return sum + xxhash.Sum64String(path+"\xfd["+strconv.Itoa(len(items))), err
	case !oracleSays(v):
		return 0, nil
	case v[0] == 'f':
		kind = "t"
	case v[0] == '-' || isDigit(v[0]):
		kind = "0"
	}
	return xxhash.Sum64String(path + "\xfd" + kind + string(oracleText(v))), nil
}

// oracleRecord makes a record, its extras and its hash.
func oracleRecord[T any](s *schema[T], raw []byte) (to T, rec Record, err error) {
	v := cleaned(raw)
	if v[0] != '{' {
		return to, rec, errType
	}
	o := oracleObject[T]{to: &to, repaired: !utf8.Valid(raw)}
	extra, err := o.object(s.members, v, raw)
	rec.Unreadable, rec.Replaced = o.unreadable, o.replaced
	for _, f := range s.required {
		if o.seen&f.bit == 0 {
			err = errors.Join(err, errMissing)
		}
	}
	rec.Extra = strings.TrimSuffix(extra, "{}")
	if s.hashed {
		var hashErr error
		rec.Hash, hashErr = oracleHash("", v, volatileOf(s.model), 0)
		if errors.Is(hashErr, errTooDeep) {
			rec.Hash, hashErr = (&oracleDeep[T]{}).object(s.members, "", v, volatileOf(s.model), 0), nil
		}
		err = errors.Join(err, hashErr)
	}
	return to, rec, err
}

// oracleDeep is the hash of a record of which some members are nested too deeply:
// these count as their text. So does an item of tags that count one by one.
type oracleDeep[T any] struct{ seen uint64 }

func (o *oracleDeep[T]) object(l *level[T], path string, v []byte, skip *fieldTree, depth int) (sum uint64) {
	for _, m := range oraclePairs(v) {
		name := oracleLower(m.name)
		below := skip.child([]byte(name))
		if below.isLeaf() {
			continue
		}
		at := path + "\xff" + name
		if i, known := l.byName[name]; known && oracleSays(m.value) {
			f := l.fields[i]
			first := o.seen&f.bit == 0
			o.seen |= f.bit
			if first && f.within != nil && m.value[0] == '{' {
				sum += o.object(f.within, at, m.value, below, depth+1)
				continue
			}
			if _, isTags := any(new(T)).(*Categorization); isTags && first && name == "tags" && m.value[0] == '[' {
				items := oraclePairs(m.value)
				for i, item := range items {
					sum += oraclePart(at+"\xfe"+strconv.Itoa(i), item.value, below, depth+2)
				}
				sum += xxhash.Sum64String(at + "\xfd[" + strconv.Itoa(len(items)))
				continue
			}
		}
		sum += oraclePart(at, m.value, below, depth+1)
	}
	return sum
}

func oraclePart(path string, v []byte, skip *fieldTree, depth int) uint64 {
	sum, err := oracleHash(path, v, skip, depth)
	if err != nil {
		return xxhash.Sum64String(path + "\xfd#" + oracleCompact(v))
	}
	return sum
}

type oracleObject[T any] struct {
	to   *T
	seen uint64

	repaired             bool
	unreadable, replaced int
}

// object stores members, those under second names last, and returns the others
// as an object. raw is v as it came.
func (o *oracleObject[T]) object(l *level[T], v, raw []byte) (extra string, err error) {
	var kept []string
	keep := func(m pair, value string) { kept = append(kept, oracleMended(m.name)+":"+value) }
	// count counts a member, of which what is stored and how it came are given.
	count := func(stored, came pair) {
		if !utf8.Valid(came.name) || !utf8.Valid(came.value) || oracleDirty(stored.name) || oracleDirty(stored.value) {
			o.replaced++
		}
	}
	store := func(f *fieldOf[T], m, came pair) {
		switch {
		case o.seen&f.bit != 0:
			keep(m, oracleMended(m.value))
			count(m, came)
			return
		case f.within != nil && m.value[0] == '{':
			o.seen |= f.bit
			inner, innerErr := o.object(f.within, m.value, came.value)
			if err = errors.Join(err, innerErr); inner != "{}" {
				keep(m, inner)
			}
			return
		}
		o.seen |= f.bit
		switch storeErr := o.set(f, m.value); {
		case errors.Is(storeErr, errKeep):
			keep(m, oracleMended(m.value))
		case storeErr != nil && !f.must && !f.firm:
			o.unreadable++
			keep(m, oracleMended(m.value))
		case storeErr == nil && f.name == "balances":
			return // each counts for itself
		case storeErr == nil && f.name == "nextBookingRange" && m.value[0] != '"':
			m = pair{} // days only
		case storeErr == nil && f.read != nil:
			m = pair{value: oracleSaid(m.value)}
		default:
			err = errors.Join(err, storeErr)
		}
		count(m, came)
	}
	var last []func()
	names := oraclePairs(raw)
	for k, m := range oraclePairs(v) {
		came := names[k]
		i, known := l.byName[oracleLower(m.name)]
		switch {
		case !oracleSays(m.value):
			count(pair{}, came)
		case !known:
			keep(m, oracleMended(m.value))
			count(m, came)
		case l.fields[i].second != nil:
			last = append(last, func() { store(l.fields[i].second, m, came) })
		default:
			store(l.fields[i], m, came)
		}
	}
	for _, store := range last {
		store()
	}
	return "{" + strings.Join(kept, ",") + "}", err
}

// set stores a value alone, in a place of its own: nothing around it matters.
func (o *oracleObject[T]) set(f *fieldOf[T], raw []byte) (err error) {
	v, ok := parseValue(bytes.Clone(raw))
	d := &recordDecoder{repaired: o.repaired}
	switch {
	case !ok:
		return errNoJSON
	case f.within != nil:
		return errType
	case f.set != nil:
		err = f.set(d, o.to, v)
	default:
		d.repaired = false
		_, _, err = f.read(d, o.to, v.raw, 0, false, 0)
	}
	if f.name != "balances" && (err == nil || errors.Is(err, errKeep)) {
		o.unreadable += d.odd.unreadable
	}
	return err
}

// oracleDirty reports whether a text of a value, or a name in it, holds what no
// column takes.
func oracleDirty(v []byte) bool {
	switch {
	case len(v) == 0:
		return false
	case v[0] == '"':
		text, err := jsontext.AppendUnquote(nil, v)
		return err != nil || bytes.IndexByte(text, 0) >= 0
	case v[0] != '{' && v[0] != '[':
		return false
	}
	for _, m := range oraclePairs(v) {
		if oracleDirty(m.name) || oracleDirty(m.value) {
			return true
		}
	}
	return false
}

// oracleSaid is a list of what the items of another say.
func oracleSaid(list []byte) []byte {
	said := []byte{'['}
	for _, item := range oraclePairs(list) {
		if item.value[0] != '{' {
			said = append(append(said, item.value...), ',')
			continue
		}
		for _, m := range oraclePairs(item.value) {
			if oracleSays(m.value) {
				said = append(append(said, m.value...), ',')
			}
		}
	}
	return append(bytes.TrimSuffix(said, []byte{','}), ']')
}

var (
	oracleStrings = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	oraclePieces  = regexp.MustCompile(`(?s)\\u....|\\.|[^\\]+`)
)

// oracleMended is a value without space, and of which every text can be had.
func oracleMended(v []byte) string {
	return oracleStrings.ReplaceAllStringFunc(oracleCompact(v), func(s string) string {
		text, high := "", "" // of which the other half may come
		for _, piece := range oraclePieces.FindAllString(s, -1) {
			r := uint64(1)
			if strings.HasPrefix(piece, `\u`) {
				r, _ = strconv.ParseUint(piece[2:], 16, 16)
			}
			low := r >= 0xdc00 && r <= 0xdfff
			if high != "" && low {
				text, high = text+high+piece, ""
				continue
			}
			if high != "" {
				text, high = text+"\uFFFD", ""
			}
			switch {
			case r >= 0xd800 && r <= 0xdbff:
				high = piece
			case r == 0 || low:
				text += "\uFFFD"
			default:
				text += piece
			}
		}
		return text
	})
}

func oracleCompact(v []byte) string {
	c := jsontext.Value(bytes.Clone(v))
	_ = c.Compact(append(lenient, jsontext.PreserveRawStrings(true))...)
	return string(c)
}
