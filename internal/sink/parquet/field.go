package parquet

import "time"

// Field is a column together with the way to its value in a row of type R. It
// belongs to no file: any number of them may be written from one.
type Field[R any] struct {
	Column
	// bind makes a buffer for one file, and the function that moves the values
	// of rows into it.
	bind func(c Column, file *binding) (buffer, func([]*R))
	// isNull reports that a row has no value.
	isNull func(*R) bool
}

// IsNull reports that a row has no value. That of a column that is Required must
// have one.
func (f *Field[R]) IsNull(r *R) bool { return f.isNull(r) }

// NotNull marks the column as Required.
func (f Field[R]) NotNull() Field[R] {
	f.Required = true
	return f
}

// Unique turns the dictionary off, where hardly a value comes twice.
func (f Field[R]) Unique() Field[R] {
	f.dictionary = false
	return f
}

// Repeated turns the dictionary on.
func (f Field[R]) Repeated() Field[R] {
	f.dictionary = true
	return f
}

// Text is a column of strings, the empty one being null. It has a dictionary.
func Text[R any](name string, get func(*R) string) Field[R] {
	return Field[R]{
		Column: Column{Name: name, Type: String, dictionary: true},
		isNull: func(r *R) bool { return get(r) == "" },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			change, _ := file.hook(c) // of dropped ones it returns nothing but ""
			return b, func(rows []*R) {
				for len(rows) > 0 {
					s, n := get(rows[0]), 1
					for n < len(rows) && get(rows[n]) == s {
						n++
					}
					if change != nil {
						s = change(s)
					}
					b.addRun(s, n)
					rows = rows[n:]
				}
			}
		},
	}
}

// JSONText is a column of JSON texts, the empty one being null. It has no
// dictionary.
func JSONText[R any](name string, get func(*R) string) Field[R] {
	f := Text(name, get)
	f.Type = JSON
	return f.Unique()
}

// Constant is a column of one text, that no hook sees.
func Constant[R any](name, value string) Field[R] {
	return Field[R]{
		Column: Column{Name: name, Type: String, dictionary: true},
		isNull: func(*R) bool { return value == "" },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			return b, func(rows []*R) { b.addRun(value, len(rows)) }
		},
	}
}

// Opaque is a column of bytes that mean nothing here, none being null. No hook
// sees it.
func Opaque[R any](name string, get func(*R) []byte) Field[R] {
	return Field[R]{
		Column: Column{Name: name, Type: Bytes},
		isNull: func(r *R) bool { return len(get(r)) == 0 },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			return b, func(rows []*R) {
				for _, r := range rows {
					b.addBytes(get(r))
				}
			}
		},
	}
}

// List is a column of lists of strings: nil is null, and another thing than a
// list without items. It has a dictionary, which it must: see textBuffer.
func List[R any](name string, get func(*R) []string) Field[R] {
	return Field[R]{
		Column: Column{Name: name, Type: StringList, dictionary: true},
		isNull: func(r *R) bool { return get(r) == nil },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newTextBuffer(c, file)
			switch change, drop := file.hook(c); {
			case drop:
				return b, nulls[R](b)
			case change != nil:
				return b, func(rows []*R) {
					for _, r := range rows {
						b.addList(each(get(r), change))
					}
				}
			}
			return b, func(rows []*R) {
				for _, r := range rows {
					b.addList(get(r))
				}
			}
		},
	}
}

// Fixed is a column of values of one width, which get takes from a row together
// with their validity: of Decimal the units, of Date the days since 1970, of
// Timestamp the microseconds.
func Fixed[T Plain, R any](name string, typ Type, get func(*R) (T, bool)) Field[R] {
	return Field[R]{
		Column: Column{Name: name, Type: typ},
		isNull: func(r *R) bool { _, ok := get(r); return !ok },
		bind: func(c Column, file *binding) (buffer, func([]*R)) {
			b := newFixedBuffer[T](c, file)
			if _, drop := file.hook(c); drop {
				return b, nulls[R](b)
			}
			return b, func(rows []*R) {
				for _, r := range rows {
					b.add(get(r))
				}
			}
		},
	}
}

// Instant is a column of times, the zero time being null.
func Instant[R any](name string, get func(*R) time.Time) Field[R] {
	return Fixed(name, Timestamp, func(r *R) (int64, bool) {
		t := get(r)
		if t.IsZero() {
			return 0, false
		}
		return t.UnixMicro(), true
	})
}

// nulls moves nothing but nulls into a buffer.
func nulls[R any](b buffer) func([]*R) {
	return func(rows []*R) {
		for range rows {
			b.addNull()
		}
	}
}

// each is a list with its items changed; null stays null.
func each(list []string, change func(string) string) []string {
	if list == nil {
		return nil
	}
	changed := make([]string, len(list))
	for i, item := range list {
		changed[i] = change(item)
	}
	return changed
}
