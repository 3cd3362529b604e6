package finoos

import "fmt"

// texts is a field of a list of text.
func texts[T any](name string, at func(*T) *[]string) *field[T] {
	return &field[T]{name: name, set: func(_ *decoder, to *T, v value) error {
		list, _, err := textList(v, nil)
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
	return &field[T]{name: name, set: func(_ *decoder, to *T, v value) error {
		list, more, err := textList(v, names)
		*at(to) = list
		if err == nil && more {
			return errKeep
		}
		return err
	}}
}

// textList reads a list of text; items that say nothing are left out.
func textList(v value, names []string) (list []string, more bool, err error) {
	if v.kind() != kindArray {
		return nil, false, errType
	}
	list = []string{}
	for a := v.items(); a.next(); {
		item := a.value
		if !item.says() {
			continue
		}
		if item.kind() == kindObject && names != nil {
			var rest bool
			if item, rest = pick(item, names); item == nil {
				return nil, false, fmt.Errorf("[%d]: %s: %w", len(list), names[0], errMissing)
			}
			more = more || rest
		}
		s, err := scalar(item)
		if err != nil {
			return nil, false, fmt.Errorf("[%d]: %w", len(list), err)
		}
		list = append(list, s)
	}
	return list, more, nil
}

// pick returns the member of v that the first possible of names names, nil if
// there is none, and whether v has any other that says something.
func pick(v value, names []string) (picked value, rest bool) {
	best := len(names)
	said := 0
	var lower []byte
	for m := v.members(); m.next(); {
		if !m.value.says() {
			continue
		}
		said++
		lower = m.name.appendLower(lower[:0])
		for i, name := range names[:best] {
			if string(lower) == name {
				picked, best = m.value, i
				break
			}
		}
	}
	return picked, said > 1
}

// records is a field of a list of records of another schema.
func records[T, R any](name string, of *schema[R], at func(*T) *[]R) *field[T] {
	return &field[T]{name: name, set: func(d *decoder, to *T, v value) error {
		if v.kind() != kindArray {
			return errType
		}
		list := []R{}
		for a := v.items(); a.next(); {
			r, err := of.decode(d, a.value)
			if err != nil {
				return fmt.Errorf("[%d]: %w", len(list), err)
			}
			list = append(list, r)
		}
		*at(to) = list
		return nil
	}}
}
