package parquet

import (
	"io"
	"sync"
)

// blocks hold bytes in pieces, which come from a pool that all files share: what
// grows is not copied, and what one table has written the next one uses.
type blocks struct {
	list [][]byte
	n    int64
}

const blockSize = 32 << 10

var blockPool = sync.Pool{New: func() any { return new([blockSize]byte) }}

// room returns the last block if n bytes fit into it, else a new one.
func (b *blocks) room(n int) *[]byte {
	if len(b.list) > 0 {
		if last := &b.list[len(b.list)-1]; cap(*last)-len(*last) >= n {
			return last
		}
	}
	b.list = append(b.list, newBlock(n))
	return &b.list[len(b.list)-1]
}

func newBlock(n int) []byte {
	if n <= blockSize {
		if block, ok := blockPool.Get().(*[blockSize]byte); ok {
			return block[:0]
		}
	}
	return make([]byte, 0, n)
}

// keepText adds a text, which is not cut.
func keepText[T string | []byte](b *blocks, text T) {
	block := b.room(len(text))
	*block = append(*block, text...)
	b.n += int64(len(text))
}

// Write implements [io.Writer]. It never fails.
func (b *blocks) Write(p []byte) (int, error) {
	b.n += int64(len(p))
	for rest := p; len(rest) > 0; {
		block := b.room(1)
		n := min(len(rest), cap(*block)-len(*block))
		*block = append(*block, rest[:n]...)
		rest = rest[n:]
	}
	return len(p), nil
}

// writeTo writes everything and gives it back.
func (b *blocks) writeTo(w io.Writer) error {
	for _, block := range b.list {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	b.free()
	return nil
}

// free gives everything back.
func (b *blocks) free() {
	for i, block := range b.list {
		if cap(block) == blockSize {
			blockPool.Put((*[blockSize]byte)(block[:blockSize]))
		}
		b.list[i] = nil
	}
	b.list, b.n = b.list[:0], 0
}

// memory is what the blocks take.
func (b *blocks) memory() (n int64) {
	for _, block := range b.list {
		n += int64(cap(block))
	}
	return n
}

// texts goes through texts that were kept, in order.
type texts struct {
	blocks [][]byte
	at     []byte // what is left of the block at hand
}

func (b *blocks) texts() texts { return texts{blocks: b.list, at: []byte{}} }

// next returns the next text, which has n bytes.
func (t *texts) next(n int) []byte {
	for len(t.at) < n {
		t.at, t.blocks = t.blocks[0], t.blocks[1:]
	}
	text := t.at[:n:n]
	t.at = t.at[n:]
	return text
}
