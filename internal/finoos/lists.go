package finoos

import "fmt"

// texts is a field of a list of text.
func texts[T any](name string, at func(*T) *[]string) *field[T] {
	return &field[T]{name: name, set: func(d *decoder, to *T, v value) error {
		list, _, err := textList(d, v, nil)
		*at(to) = list
		return err
	}}
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
	return &field[T]{name: name, set: func(d *decoder, to *T, v value) error {
		list, more, err := textList(d, v, names)
		*at(to) = list
		if err == nil && more {
			return errKeep
		}
		return err
	}}
}

// textList reads a list of text; items that say nothing are left out.
func textList(d *decoder, v value, names []string) (list []string, more bool, err error) {
	if v.kind() != kindArray {
		return nil, false, errType
	}
	list = d.list()
	for a := v.items(); a.next(); {
		item := a.value
		if !item.says() {
			continue
		}
		if item.kind() == kindObject && names != nil {
			var rest bool
			if item, rest = d.pick(item, names); item.raw == nil {
				return nil, false, fmt.Errorf("[%d]: %s: %w", len(list), names[0], errMissing)
			}
			more = more || rest
		}
		if k := item.kind(); k == kindObject || k == kindArray {
			return nil, false, fmt.Errorf("[%d]: %w", len(list), errType)
		}
		list = append(list, d.keepText(item))
	}
	return d.done(list), more, nil
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
