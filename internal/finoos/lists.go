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
	c := &choice{names: names, level: level[string]{id: newLevel(), byName: map[string]int{}}}
	for i, name := range names {
		c.byName[name] = i
	}
	return &field[T]{name: name, read: func(d *decoder, to *T, b []byte, i int) (end int, err error) {
		*at(to), end, err = d.textList(c, b, i)
		return end, err
	}}
}

// choice is which member of an object is its text: the first of names that it
// has.
type choice struct {
	level[string]

	names []string
}

// textList reads a list of text; items that say nothing are left out. Its error
// is errKeep where there is more to it.
func (d *decoder) textList(c *choice, b []byte, i int) (list []string, end int, err error) {
	if b[i] != kindArray {
		return nil, i, errType
	}
	list = d.list()
	more := false
	d.hash.syntax.around++
	for i = skipSpace(b, i+1); b[i] != ']'; {
		item, rest, end, err := d.item(c, b, i)
		if err != nil {
			return nil, end, fmt.Errorf("[%d]: %w", len(list), err)
		}
		if item.says() {
			list, more = append(list, d.keepText(item)), more || rest
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

// item is the text of the item that begins at b[i], and whether the item says
// more than that.
func (d *decoder) item(c *choice, b []byte, i int) (text value, more bool, end int, err error) {
	if b[i] == kindObject && len(c.names) > 0 {
		if text, more, end, err = d.pick(c, b, i); err == nil && text.raw == nil {
			err = fmt.Errorf("%s: %w", c.names[0], errMissing)
		}
	} else {
		text, end, err = d.hash.syntax.valueAt(b, i)
	}
	if k := text.kind(); err == nil && (k == kindObject || k == kindArray) {
		err = errType
	}
	return text, more, end, err
}

// pick returns the member of an object that is its text, if there is one, and
// whether any other says something.
func (d *decoder) pick(c *choice, b []byte, i int) (text value, more bool, end int, err error) {
	names := d.namesOf(c.id)
	names.next = 0
	best, said := len(c.names), 0
	d.hash.syntax.around++
	for i = skipSpace(b, i+1); b[i] != '}'; {
		k, at, ok := c.find(names, b, i)
		if !ok {
			return text, false, at, errNoJSON
		}
		v, at, err := d.hash.syntax.valueAt(b, at)
		if err != nil {
			return text, false, at, err
		}
		if v.says() {
			said++
			if k.field >= 0 && k.field < best {
				text, best = v, k.field
			}
		}
		if i, ok = following(b, at, '}'); !ok {
			return text, false, i, errNoJSON
		}
	}
	d.hash.syntax.around--
	return text, said > 1, i + 1, nil
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
