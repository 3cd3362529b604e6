package finoos

import (
	"slices"
	"strings"
)

// arena keeps texts in blocks: an allocation for many instead of one for each.
// A block lives as long as any text of it; so blocks begin small, for answers
// that hold a single record.
type arena struct {
	block strings.Builder
	size  int
}

const (
	firstBlock = 128
	lastBlock  = 4096
)

func (a *arena) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if free := a.block.Cap() - a.block.Len(); free < len(b) {
		if len(b) > lastBlock/4 {
			return string(b)
		}
		a.size = min(max(2*a.size, firstBlock, len(b)), lastBlock)
		a.block = strings.Builder{}
		a.block.Grow(a.size)
	}
	start := a.block.Len()
	a.block.Write(b)
	return a.block.String()[start:]
}

// keepText is the text of v, mended.
func (d *recordDecoder) keepText(v value) string {
	if v.form == 0 {
		return d.texts.keep(v.plain())
	}
	return string(v.mendedText())
}

// keepSaid is the text of v as it is.
func (d *recordDecoder) keepSaid(v value) string {
	if v.form == 0 {
		return d.texts.keep(v.plain())
	}
	return string(v.appendText(nil))
}

// list is room for a list of texts; done ends it.
func (d *recordDecoder) list() []string {
	const lists, least = 256, 8
	if cap(d.lists)-len(d.lists) < least {
		d.lists = make([]string, 0, min(max(least, 2*cap(d.lists)), lists))
	}
	return d.lists[len(d.lists):]
}

func (d *recordDecoder) done(list []string) []string {
	if cap(list) == cap(d.lists)-len(d.lists) { // it did not outgrow its room
		d.lists = d.lists[:len(d.lists)+len(list)]
	}
	return slices.Clip(list)
}
