package finoos

import "fmt"

// texts is a field of a list of text.
func texts[T any](name string, at func(*T) *[]string) *field[T] {
	return textsOf(name, at)
}

// tags is a field of a list of tags. A tag may come as an object, of which its
// id or else its name is the tag.
func tags[T any](name string, at func(*T) *[]string) *field[T] {
	return textsOf(name, at, "id", "name")
}

// textsOf is a field of a list of text, an item of which may come as an
// object: then the first of names that it has is the text. Where objects say
// more than that, the list is kept as an extra field as well.
func textsOf[T any](name string, at func(*T) *[]string, names ...string) *field[T] {
	return &field[T]{name: name, read: func(d *decoder, to *T, b []byte, i int) (end int, err error) {
		*at(to), end, err = d.textList(b, i, names)
		return end, err
	}}
}

// textList reads a list of text; items that say nothing are left out. Its error
// is errKeep where there is more to it.
func (d *decoder) textList(b []byte, i int, names []string) (list []string, end int, err error) {
	if b[i] != kindArray {
		return nil, i, errType
	}
	list = d.list()
	more := false
	d.hash.syntax.around++
	for i = skipSpace(b, i+1); b[i] != ']'; {
		item, end, err := d.item(b, i)
		if err != nil {
			return nil, end, err
		}
		if item.says() {
			text, rest, err := d.textOf(item, names)
			if err != nil {
				return nil, end, fmt.Errorf("[%d]: %w", len(list), err)
			}
			list, more = append(list, text), more || rest
		}
		var ok bool
		if i, ok = following(b, end, ']'); !ok {
			return nil, i, errNoJSON
		}
	}
	d.hash.syntax.around--
	if more {
		err = errKeep
	}
	return d.done(list), i + 1, err
}

// item is the item of a list that begins at b[i].
func (d *decoder) item(b []byte, i int) (v value, end int, err error) {
	if b[i] == kindObject || b[i] == kindArray {
		end, err = d.hash.syntax.valueEnd(b, i)
		return value{raw: b[i:end]}, end, err
	}
	v, end, ok := scalarAt(b, i)
	if !ok {
		return v, end, errNoJSON
	}
	return v, end, nil
}

// textOf is the text of an item, and whether the item says more than that.
func (d *decoder) textOf(item value, names []string) (text string, more bool, err error) {
	if item.kind() == kindObject && names != nil {
		if item, more = d.pick(item, names); item.raw == nil {
			return "", false, fmt.Errorf("%s: %w", names[0], errMissing)
		}
	}
	if k := item.kind(); k == kindObject || k == kindArray {
		return "", false, errType
	}
	return d.keepText(item), more, nil
}

// pick returns the member of v that the first possible of names names, nil if
// there is none, and whether v has any other that says something.
func (d *decoder) pick(v value, names []string) (picked value, rest bool) {
	best := len(names)
	said := 0
	for m := v.members(); m.next(); {
		if !m.value.says() {
			continue
		}
		said++
		d.lower = m.name.appendLower(d.lower[:0])
		for i, name := range names[:best] {
			if string(d.lower) == name {
				picked, best = m.value, i
				break
			}
		}
	}
	return picked, said > 1
}

// records is a field of a list of records of another schema.
func records[T, R any](name string, of *schema[R], at func(*T) *[]R) *field[T] {
	return &field[T]{name: name, read: func(d *decoder, to *T, b []byte, i int) (int, error) {
		if b[i] != '[' {
			return i, errType
		}
		list := (*at(to))[:0]
		if list == nil {
			list = []R{}
		}
		d.hash.syntax.around++
		for i = skipSpace(b, i+1); b[i] != ']'; {
			var none R
			list = append(list, none)
			end, err := of.decodeAt(d, &list[len(list)-1], b, i)
			if err != nil {
				return end, fmt.Errorf("[%d]: %w", len(list)-1, err)
			}
			var ok bool
			if i, ok = following(b, end, ']'); !ok {
				return i, errNoJSON
			}
		}
		d.hash.syntax.around--
		*at(to) = list
		return i + 1, nil
	}}
}
