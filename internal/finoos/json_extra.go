package finoos

// extra builds the JSON objects of what no field took. It is a stack in one
// buffer: an object that was opened last is closed or taken first.
type extra struct {
	buf      []byte
	replaced bool // something since somebody has asked
}

// open begins an object, as the member name of the one around it or, without
// a name, as one of its own.
func (e *extra) open(name []byte) int {
	mark := len(e.buf)
	if name != nil {
		e.name(name)
	}
	e.buf = append(e.buf, '{')
	return mark
}

func (e *extra) add(name, v value) {
	if name.mendable() {
		name.raw, e.replaced = appendMended(nil, name.raw), true
	}
	e.name(name.raw)
	e.value(v)
}

// value adds a value without the space between its tokens, and mended.
func (e *extra) value(v value) {
	start := 0 // of what is not yet added
	for i := 0; i < len(v.raw); {
		switch c := v.raw[i]; {
		case c == '"':
			var text value
			from := i
			i, text.form, _ = stringEnd(v.raw, i)
			if text.raw = v.raw[from:i]; text.mendable() {
				e.buf = appendMended(append(e.buf, v.raw[start:from]...), text.raw)
				start, e.replaced = i, true
			}
		case isSpace(c):
			e.buf = append(e.buf, v.raw[start:i]...)
			i++
			start = i
		default:
			i++
		}
	}
	e.buf = append(e.buf, v.raw[start:]...)
}

func (e *extra) name(name []byte) {
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(append(e.buf, name...), ':')
}

// close ends the object opened at mark, and drops it if it is empty.
func (e *extra) close(mark int) {
	if e.buf[len(e.buf)-1] == '{' {
		e.buf = e.buf[:mark]
		return
	}
	e.buf = append(e.buf, '}')
}

// take ends the object opened at mark and returns it, "" if it is empty.
func (e *extra) take(mark int) string {
	e.close(mark)
	text := string(e.buf[mark:])
	e.buf = e.buf[:mark]
	return text
}

// compact is the text of v without the space between its tokens, and mended.
func (d *recordDecoder) compact(v value) string {
	mark := len(d.extra.buf)
	d.extra.value(v)
	text := d.texts.keep(d.extra.buf[mark:])
	d.extra.buf = d.extra.buf[:mark]
	return text
}
