package parquet

import "bytes"

// encode hands over what was stored, as numbers of the dictionary where there is
// one.
func (b *textBuffer) encode(to *columnChunk, s *workspace) error {
	if b.dict != nil {
		return b.encodeRefs(to, s)
	}
	var least, most []byte
	lens, data := b.lens, b.data.texts()
	for at := 0; at < b.slots(); {
		end, n := b.pageEnd(at, func(value int) int { return 4 + int(lens[value]) })
		b.begin(s, at, end)
		var first, last []byte // of the page, in order
		for _, size := range lens[:n] {
			text := data.next(int(size))
			s.page = appendText(s.page, text)
			first, last = widen(first, last, text)
		}
		if n > 0 {
			least, most = widen(least, most, first)
			least, most = widen(least, most, last)
		}
		if err := to.add(s, end-at, n, false, first, last); err != nil {
			return err
		}
		at, lens = end, lens[n:]
	}
	to.finish(least, most)
	return nil
}

// encodeRefs hands over the dictionary, and all slots as references into it.
func (b *textBuffer) encodeRefs(to *columnChunk, s *workspace) error {
	s.page = s.page[:0]
	for i := range b.dict.entries() {
		s.page = appendText(s.page, b.dict.value(int32(i)))
	}
	if err := to.addDictionary(s, b.dict.entries()); err != nil {
		return err
	}
	width := widthOf(b.dict.entries())
	size := (width + 7) / 8
	refs, end := b.refs, b.slots()
	// A page's bounds are the whole dictionary's: wide, but never wrong.
	least, most := b.dict.bounds()
	for at := 0; at < end; {
		next, n := end, len(refs)
		if size*n > PageBytes {
			next, n = b.pageEnd(at, func(int) int { return size })
		}
		b.begin(s, at, next)
		s.page = appendHybrid(append(s.page, byte(width)), refs[:n], width) // at most 32 bits
		first, last := least, most
		if n == 0 {
			first, last = nil, nil
		}
		if err := to.add(s, next-at, n, true, first, last); err != nil {
			return err
		}
		at, refs = next, refs[n:]
	}
	to.finish(least, most)
	return nil
}

// pageEnd returns where a page that begins at a slot ends, and how many values
// it has: with a row, and before these exceed the size of a page, unless that is
// one row. size is that of each value that follows.
func (b *textBuffer) pageEnd(from int, size func(value int) int) (end, values int) {
	slots := b.slots()
	room := PageBytes
	row := from // where the row at hand began
	rowValues := 0
	for at := from; at < slots; at++ {
		if !b.lists || b.levels[at]&levelSameRow == 0 {
			row, rowValues = at, values
		}
		if b.nulls && b.levels[at]&levelMask != b.fullLevel() {
			continue
		}
		room -= size(values)
		values++
		if room < 0 && row > from {
			return row, rowValues
		}
	}
	return slots, values
}

// begin begins a page with the levels of some slots.
func (b *textBuffer) begin(s *workspace, from, to int) {
	if b.nulls {
		s.begin(b.levels[from:to], b.lists)
		return
	}
	s.begin(nil, false)
}

func (b *textBuffer) fullLevel() byte {
	if b.lists {
		return levelElement
	}
	return levelValue
}

// widen makes bounds hold a text; nil bounds hold none.
func widen(least, most, text []byte) (wideLeast, wideMost []byte) {
	if least == nil || bytes.Compare(text, least) < 0 {
		least = text
	}
	if most == nil || bytes.Compare(text, most) > 0 {
		most = text
	}
	return least, most
}
