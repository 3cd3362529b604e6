package finoos

import (
	"errors"
	"fmt"
)

// texts is a field of a list of text.
func texts[T any](name string, at func(*T) *[]string) *fieldOf[T] {
	return textsOf(name, at)
}

// tags is a field of a list of tags. A tag may come as an object, of which its
// id or else its name is the tag.
func tags[T any](name string, at func(*T) *[]string) *fieldOf[T] {
	return textsOf(name, at, "id", "name")
}

// eachTag is tags of which those that can be read count where others cannot: these
// are unreadable, and the list is kept as an extra field.
func eachTag[T any](name string, at func(*T) *[]string) *fieldOf[T] {
	return listField(name, at, newChoice("id", "name").forEach())
}

// textsOf is a field of a list of text, an item of which may come as an
// object: then the first of names that it has is the text. Where objects say
// more than that, the list is kept as an extra field as well.
func textsOf[T any](name string, at func(*T) *[]string, names ...string) *fieldOf[T] {
	return listField(name, at, newChoice(names...))
}

func listField[T any](name string, at func(*T) *[]string, c *choice) *fieldOf[T] {
	return &fieldOf[T]{name: name, hashes: true, read: func(d *recordDecoder, to *T, b []byte, i int, hash bool, depth int) (sum uint64, end int, err error) {
		*at(to), sum, end, err = d.textList(c, b, i, hash, depth)
		return sum, end, err
	}}
}

// choice is which member of an object is its text: the first of names that it
// has.
type choice struct {
	level[string]

	names []string
	each  bool // an item that cannot be read does not keep the others from it
}

func newChoice(names ...string) *choice {
	c := &choice{names: names, level: level[string]{id: newLevel(), byName: map[string]int{}}}
	for i, name := range names {
		c.byName[name] = i
	}
	return c
}

func (c *choice) forEach() *choice {
	c.each = true
	return c
}

// textList reads a list of text; items that say nothing are left out. Its error
// is errKeep where there is more to it.
func (d *recordDecoder) textList(c *choice, b []byte, i int, hash bool, depth int) (list []string, sum uint64, end int, err error) {
	if b[i] != kindArray {
		return nil, 0, i, errType
	}
	list = d.list()
	n, more := 0, false
	mark := len(d.hash.path)
	d.hash.syntax.around++
	before := d.mark() // as each item finds it, but for what it counts
	for i = skipSpace(b, i+1); b[i] != ']'; n++ {
		if hash {
			d.hash.enterItem(n)
		}
		item, part, rest, end, err := d.item(c, b, i, hash, depth+1)
		if err != nil && c.each && !errors.Is(err, errNoJSON) {
			before.odd.unreadable++
			if d.reset(before); hash {
				d.hash.enterItem(n)
			}
			item, rest, more = value{}, false, true
			part, end, err = d.whole(b, i, nil, hash, depth+1, true)
		}
		if err != nil {
			return nil, 0, end, fmt.Errorf("[%d]: %w", len(list), err)
		}
		d.hash.path = d.hash.path[:mark]
		sum += part
		if item.says() {
			if item.form != 0 && item.mendable() {
				d.extra.replaced = true
			}
			list, more = append(list, d.keepText(item)), more || rest
		}
		var ok bool
		if i, ok = following(b, end, ']'); !ok {
			return nil, 0, i, errNoJSON
		}
	}
	d.hash.syntax.around--
	if hash {
		sum += d.hash.length(n)
	}
	if more {
		err = errKeep
	}
	return d.done(list), sum, i + 1, err
}

// item is the text of the item that begins at b[i], and whether the item says
// more than that.
func (d *recordDecoder) item(c *choice, b []byte, i int, hash bool, depth int) (text value, sum uint64, more bool, end int, err error) {
	if b[i] == kindObject && len(c.names) > 0 {
		if text, sum, more, end, err = d.pick(c, b, i, hash, depth); err == nil && text.raw == nil {
			err = fmt.Errorf("%s: %w", c.names[0], errMissing)
		}
	} else {
		text, sum, end, err = d.hash.valueAt(nil, b, i, hash, depth)
	}
	if k := text.kind(); err == nil && (k == kindObject || k == kindArray) {
		err = errType
	}
	return text, sum, more, end, err
}

// pick returns the member of an object that is its text, if there is one, and
// whether any other says something.
func (d *recordDecoder) pick(c *choice, b []byte, i int, hash bool, depth int) (text value, sum uint64, more bool, end int, err error) {
	names := d.namesOf(c.id)
	names.next = 0
	best, said := len(c.names), 0
	d.hash.syntax.around++
	for i = skipSpace(b, i+1); b[i] != '}'; {
		k, at, ok := c.find(names, b, i)
		if !ok {
			return text, 0, false, at, errNoJSON
		}
		v, part, at, err := d.hash.valueAt(k.lower, b, at, hash, depth+1)
		if err != nil {
			return text, 0, false, at, err
		}
		sum += part
		if v.says() {
			said++
			if k.field >= 0 && k.field < best {
				text, best = v, k.field
			}
		}
		if i, ok = following(b, at, '}'); !ok {
			return text, 0, false, i, errNoJSON
		}
	}
	d.hash.syntax.around--
	return text, sum, said > 1, i + 1, nil
}

// recordsOf is the list that records belong to.
type recordsOf[T, R any] interface {
	// list is where they are, of a list that has come.
	list(to *T) *[]R
	// fits reports whether a record may be one of them.
	fits(to *T, r *R) bool
	// leaveOut notes a record that may not, or is none.
	leaveOut(to *T)
}

// records is a field of a list of records of another schema. What cannot be one of
// them is unreadable, and the others go on.
func records[T, R any](name string, of *schema[R], in recordsOf[T, R]) *fieldOf[T] {
	return &fieldOf[T]{name: name, read: func(d *recordDecoder, to *T, b []byte, i int, _ bool, _ int) (sum uint64, end int, err error) {
		if b[i] != '[' {
			return 0, i, errType
		}
		list := (*in.list(to))[:0]
		if list == nil {
			list = []R{}
		}
		d.hash.syntax.around++
		before := d.mark() // as each item finds it, but for what it counts
		for i = skipSpace(b, i+1); b[i] != ']'; {
			var none R
			list = append(list, none)
			last := &list[len(list)-1]
			end, err := of.decodeAt(d, last, b, i)
			if errors.Is(err, errNoJSON) {
				return 0, end, fmt.Errorf("[%d]: %w", len(list)-1, err)
			}
			if err != nil {
				d.reset(before)
				if end, err = d.hash.syntax.valueEnd(b, i); err != nil {
					return 0, end, err
				}
			} else if in.fits(to, last) {
				last = nil
			}
			if last != nil {
				list = list[:len(list)-1]
				d.odd.unreadable++
				before.odd = d.odd
				d.passRepairs(b, end) // nothing of it is kept
				in.leaveOut(to)
			}
			var ok bool
			if i, ok = following(b, end, ']'); !ok {
				return 0, i, errNoJSON
			}
		}
		d.hash.syntax.around--
		*in.list(to) = list
		return 0, i + 1, nil
	}}
}
