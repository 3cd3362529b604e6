package parquet

import "unsafe"

// What the buffers of a column take: their whole memory, as after a row group
// they keep it for the next one.

func (b *fixedBuffer[T]) memory() int64 { return heldBy(b.levels) + heldBy(b.values) }

func (b *fixedBuffer[T]) release() { b.levels, b.values = nil, nil }

func (b *textBuffer) memory() int64 {
	n := heldBy(b.levels) + heldBy(b.refs) + heldBy(b.lens) + b.data.memory()
	if b.dict != nil {
		n += heldBy(b.dict.table) + heldBy(b.dict.data) + heldBy(b.dict.offsets)
	}
	return n
}

func (b *textBuffer) release() {
	b.reset()
	b.levels, b.refs, b.lens = nil, nil, nil
	if b.dict != nil {
		b.dict = newDictionary()
	}
}

func heldBy[T any](s []T) int64 {
	var one T
	return int64(cap(s)) * int64(unsafe.Sizeof(one)) // bytes of memory
}

// Memory is what the file's buffers take, used or not.
func (f *File) Memory() (n int64) {
	for _, c := range f.columns {
		n += c.memory()
	}
	return n
}

// Shed writes the buffered rows as a row group and gives the buffers' memory
// back.
func (f *File) Shed() error {
	if err := f.Flush(); err != nil {
		return err
	}
	for _, c := range f.columns {
		c.release()
	}
	return nil
}
