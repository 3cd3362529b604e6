package finoos

import (
	"bytes"
	"errors"
	"io"
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
	return repaired(b)
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
	o := oracleObject[T]{to: &to, tolerant: s.tolerant, repaired: !utf8.Valid(raw)}
	extra, err := o.object(s.members, v)
	rec.Unreadable = o.unreadable
	for _, f := range s.required {
		if o.seen&f.bit == 0 {
			err = errors.Join(err, errMissing)
		}
	}
	rec.Extra = strings.TrimSuffix(extra, "{}")
	if s.hashed {
		var hashErr error
		rec.Hash, hashErr = oracleHash("", v, volatileOf(s.model), 0)
		if s.tolerant && errors.Is(hashErr, errTooDeep) {
			rec.Hash, hashErr = oracleDeepHash(v, volatileOf(s.model)), nil
		}
		err = errors.Join(err, hashErr)
	}
	return to, rec, err
}

// oracleDeepHash is the hash of a record of which some members are nested too
// deeply: these count as their text.
func oracleDeepHash(v []byte, skip *fieldTree) (sum uint64) {
	for _, m := range oraclePairs(v) {
		name := oracleLower(m.name)
		below := skip.child([]byte(name))
		if below.isLeaf() {
			continue
		}
		part, err := oracleHash("\xff"+name, m.value, below, 1)
		if err != nil {
			part = xxhash.Sum64String("\xff" + name + "\xfd#" + oracleCompact(m.value))
		}
		sum += part
	}
	return sum
}

type oracleObject[T any] struct {
	to   *T
	seen uint64

	tolerant, repaired bool
	unreadable         int
}

// object stores members, those under second names last, and returns the others
// as an object.
func (o *oracleObject[T]) object(l *level[T], v []byte) (extra string, err error) {
	var kept []string
	keep := func(m pair, value string) { kept = append(kept, string(m.name)+":"+value) }
	store := func(f *fieldOf[T], m pair) {
		switch {
		case o.seen&f.bit != 0:
			keep(m, oracleCompact(m.value))
			return
		case f.within != nil && m.value[0] == '{':
			o.seen |= f.bit
			inner, innerErr := o.object(f.within, m.value)
			if err = errors.Join(err, innerErr); inner != "{}" {
				keep(m, inner)
			}
			return
		}
		o.seen |= f.bit
		switch storeErr := o.set(f, m.value); {
		case errors.Is(storeErr, errKeep):
			keep(m, oracleCompact(m.value))
		case storeErr != nil && o.tolerant && !f.must && !f.whole:
			o.unreadable++
			keep(m, oracleCompact(m.value))
		default:
			err = errors.Join(err, storeErr)
		}
	}
	var last []func()
	for _, m := range oraclePairs(v) {
		i, known := l.byName[oracleLower(m.name)]
		switch {
		case !oracleSays(m.value):
		case !known:
			keep(m, oracleCompact(m.value))
		case l.fields[i].second != nil:
			last = append(last, func() { store(l.fields[i].second, m) })
		default:
			store(l.fields[i], m)
		}
	}
	for _, store := range last {
		store()
	}
	return "{" + strings.Join(kept, ",") + "}", err
}

// set stores a value alone, in a place of its own: nothing around it matters.
func (o *oracleObject[T]) set(f *fieldOf[T], raw []byte) error {
	v, ok := parseValue(bytes.Clone(raw))
	switch {
	case !ok:
		return errNoJSON
	case f.within != nil:
		return errType
	case f.set != nil:
		return f.set(&recordDecoder{repaired: o.repaired}, o.to, v)
	}
	_, _, err := f.read(&recordDecoder{}, o.to, v.raw, 0, false, 0)
	return err
}

func oracleCompact(v []byte) string {
	c := jsontext.Value(bytes.Clone(v))
	_ = c.Compact(append(lenient, jsontext.PreserveRawStrings(true))...)
	return string(c)
}
