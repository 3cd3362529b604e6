package parquet

// textBuffer holds strings, or lists of them. Where the column has a dictionary,
// each row holds a number instead. The column writer has a dictionary of its own,
// but it boxes every value that it looks up, and rows would be held with all their
// text.
//
// A dictionary is never given up for being large, as other writers do: a column
// with pages of both kinds, and a list on a page without a dictionary, are read as
// null by fastparquet up to 2026.9 (its readers skip the values, in silence). What
// bounds it is the memory of a row group.
type textBuffer struct {
	file   *binding
	nulls  bool
	lists  bool
	levels []byte

	dict *dictionary // nil where values hardly repeat
	refs []int32

	lens []uint32 // without a dictionary
	data blocks
}

func newTextBuffer(c Column, file *binding) *textBuffer {
	b := &textBuffer{file: file, nulls: !c.Required, lists: c.Type == StringList}
	if c.dictionary {
		b.dict = newDictionary()
	}
	return b
}

// add appends one row's string.
func (b *textBuffer) add(s string) {
	if b.nulls {
		if s == "" {
			b.addNull()
			return
		}
		b.levels = append(b.levels, levelValue)
		b.file.held++
	}
	b.put(s)
}

// addRun appends the string of several rows: those of one pull have most of them
// in common.
func (b *textBuffer) addRun(s string, rows int) {
	if s == "" && b.nulls || b.dict == nil {
		for range rows {
			b.add(s)
		}
		return
	}
	const ref, level = 4, 1
	number, added := b.dict.number(s)
	for range rows {
		b.refs = append(b.refs, number)
	}
	b.file.held += int64(rows)*ref + added
	if b.nulls {
		for range rows {
			b.levels = append(b.levels, levelValue)
		}
		b.file.held += int64(rows) * level
	}
}

// addBytes appends one row's bytes.
func (b *textBuffer) addBytes(v []byte) {
	if len(v) == 0 && b.nulls {
		b.addNull()
		return
	}
	b.levels = append(b.levels, levelValue)
	keepText(&b.data, v)
	b.lens = append(b.lens, uint32(len(v))) // bounded by the memory of a row group
	b.file.held += 5 + int64(len(v))
}

// addList appends one row's list.
func (b *textBuffer) addList(list []string) {
	switch {
	case list == nil:
		b.addNull()
		return
	case len(list) == 0:
		b.levels = append(b.levels, levelEmpty)
		b.file.held++
		return
	}
	level := byte(levelElement)
	for _, s := range list {
		b.levels = append(b.levels, level)
		b.put(s)
		level = levelElement | levelSameRow
	}
	b.file.held += int64(len(list))
}

func (b *textBuffer) addNull() {
	b.levels = append(b.levels, levelNull)
	b.file.held++
}

// slots counts what was added: values, nulls and empty lists.
func (b *textBuffer) slots() int {
	if b.nulls {
		return len(b.levels)
	}
	return len(b.refs) + len(b.lens)
}

func (b *textBuffer) put(s string) {
	const ref, length = 4, 4
	if b.dict != nil {
		number, added := b.dict.number(s)
		b.refs = append(b.refs, number)
		b.file.held += ref + added
		return
	}
	keepText(&b.data, s)
	b.lens = append(b.lens, uint32(len(s))) // bounded by the memory of a row group
	b.file.held += length + int64(len(s))
}

func (b *textBuffer) reset() {
	b.levels, b.refs, b.lens = b.levels[:0], b.refs[:0], b.lens[:0]
	b.data.free()
	if b.dict != nil {
		b.dict.reset()
	}
}
