package finoos

import (
	"errors"
	"fmt"
	"io"
)

const (
	// maxRecord bounds what one record may take in memory, whatever the answer's
	// size: an account's two years of balances are some 40 KiB.
	maxRecord = 16 << 20

	// maxKept is the record beyond which a window's memory is not kept.
	maxKept = 256 << 10
)

var errRecordTooBig = fmt.Errorf("a record beyond %d MiB", maxRecord>>20)

// bodyWindow is the part of an answer that is in memory: it moves on as the answer
// is read, and grows only for a record that has no room in it.
type bodyWindow struct {
	r     io.Reader
	err   error  // why r gives no more
	buf   []byte // what was read, and the mark behind it
	start int    // of what has not been passed by
	base  int64  // of buf in the answer
}

// reset makes w read afresh.
func (w *bodyWindow) reset(r io.Reader) {
	if w.buf == nil {
		w.buf = make([]byte, 0, chunkSize)
	}
	*w = bodyWindow{r: r, buf: append(w.buf[:0], endMark)}
}

// text is what is in memory and has not been passed by; it ends in the mark.
func (w *bodyWindow) text() []byte { return w.buf[w.start:] }

// size is that of text, without the mark.
func (w *bodyWindow) size() int { return len(w.buf) - 1 - w.start }

// pass passes by n bytes of text.
func (w *bodyWindow) pass(n int) { w.start += n }

// at is the place in the answer of a byte of text.
func (w *bodyWindow) at(i int) int64 {
	if i == w.size() && errors.Is(w.err, io.EOF) {
		i-- // the space behind the end is none of the answer's
	}
	return w.base + int64(w.start+i)
}

// more reads more behind text, which may move. After the end of the answer
// stands one space, since a number that the text ends with may be cut off; then
// comes [io.EOF].
func (w *bodyWindow) more() error {
	switch {
	case w.err != nil:
		return w.err
	case w.size() >= maxRecord:
		return errRecordTooBig
	}
	buf := w.room()
	for len(buf) < cap(buf)-2 && w.err == nil { // the space and the mark have to fit
		var n int
		n, w.err = w.r.Read(buf[len(buf) : cap(buf)-2])
		buf = buf[:len(buf)+n]
	}
	if errors.Is(w.err, io.EOF) {
		buf = append(buf, '\n')
	}
	w.buf = append(buf, endMark)
	return nil
}

// room moves text to the front, without the mark, and makes room behind it.
func (w *bodyWindow) room() []byte {
	text := w.text()[:w.size()]
	w.base += int64(w.start)
	w.start = 0
	if len(text) < cap(w.buf)-2 {
		return w.buf[:copy(w.buf, text)]
	}
	return append(make([]byte, 0, min(2*cap(w.buf), maxRecord+chunkSize)), text...)
}
