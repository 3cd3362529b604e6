package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"finoos-syncer/internal/scratch"
)

// How pages are read: those that this program writes (encode.go), and those that it
// wrote by way of the library before. Nothing is made room for before it is known that
// the page can hold it.

// The encodings of values that are read.
const (
	encodingPlain     = 0
	encodingPlainDict = 2 // the same as encodingDict, by its older name
	encodingRLE       = 3
	encodingDict      = 8
)

// pageHeader is what stands before a page.
type pageHeader struct {
	typ           int64
	plain, packed int64 // bytes
	values        int64 // slots of a data page, entries of a dictionary
	encoding      int64
	levels        int64 // how they are encoded
}

const (
	pageOfData       = 0
	pageOfDictionary = 2
)

// readHeader reads a page's header and returns what follows it.
func readHeader(b []byte) (h pageHeader, rest []byte, err error) {
	r := thriftReader{scratch.NewReader(b)}
	h = pageHeader{typ: -1, plain: -1, packed: -1, values: -1, levels: encodingRLE}
	r.fields(func(id int16, typ byte) {
		switch id {
		case 1:
			h.typ = r.number(typ)
		case 2:
			h.plain = r.number(typ)
		case 3:
			h.packed = r.number(typ)
		case 5, 7: // of a data page, of a dictionary
			r.structure(typ, func(within int16, typ byte) {
				switch {
				case within == 1:
					h.values = r.number(typ)
				case within == 2:
					h.encoding = r.number(typ)
				case within == 3 && id == 5:
					h.levels = r.number(typ)
				default:
					r.skip(typ, 0)
				}
			})
		default:
			r.skip(typ, 0)
		}
	})
	if r.Failed() || h.plain < 0 || h.packed < 0 || h.values < 0 || h.packed > int64(len(r.Rest())) {
		return h, nil, errors.New("a page's header cannot be read")
	}
	return h, r.Rest(), nil
}

// The codecs that are read.
const (
	codecNone   = 0
	codecSnappy = 1
	codecZstd   = 6
)

// bounded decompresses into the room that it is given and no more: what a page
// unpacks to is not known before, and is not limited by what it was packed into.
var bounded = newDecoder()

func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}

// maxWindow is the largest that any level of compression takes.
const maxWindow = 128 << 20

// unpack decompresses a page, which has to come out as large as its header says. The
// result is valid until the next call with the same buffer.
func unpack(codec int32, page []byte, size int64, into *[]byte) ([]byte, error) {
	var err error
	out := page
	switch codec {
	case codecNone:
	case codecSnappy:
		n, lenErr := snappy.DecodedLen(page)
		if lenErr != nil || int64(n) != size {
			return nil, errors.New("a page is of another size than its header says")
		}
		*into = slices.Grow((*into)[:0], n)
		out, err = snappy.Decode((*into)[:n], page)
	case codecZstd:
		*into = slices.Grow((*into)[:0], int(size)) // the caller has bounded it
		out, err = bounded.DecodeAll(page, (*into)[:0:size])
	default:
		return nil, fmt.Errorf("pages are compressed by codec %d", codec)
	}
	if err != nil {
		return nil, err
	}
	if int64(len(out)) != size {
		return nil, errors.New("a page is of another size than its header says")
	}
	return out, nil
}

var (
	errLevels = errors.New("a page's levels or numbers end early")
	errValues = errors.New("a page's values end early")
)

// readHybrid reads numbers of so many bits in the form that is a mixture of runs and
// of bits packed by eight numbers: see appendHybrid.
func readHybrid(b []byte, width int, into []uint32) error {
	r := scratch.NewReader(b)
	for len(into) > 0 {
		head := r.Uvarint()
		n := head >> 1
		if r.Failed() || n == 0 {
			return errLevels
		}
		if head&1 == 0 {
			var value uint32
			for i, v := range r.Take(uint64(width+7) / 8) {
				value |= uint32(v) << (8 * i)
			}
			n = min(n, uint64(len(into)))
			for i := range into[:n] {
				into[i] = value
			}
		} else {
			packed := r.Rest()
			if width > 0 {
				if n > uint64(len(packed)) { // a number takes a bit, eight a byte
					return errLevels
				}
				packed = r.Take(n * uint64(width))
			}
			n = min(n, uint64(len(into)+7)/8) * 8
			n = min(n, uint64(len(into)))
			if !r.Failed() {
				unpackBits(packed, width, into[:n])
			}
		}
		if r.Failed() {
			return errLevels
		}
		into = into[n:]
	}
	return nil
}

// unpackBits reads numbers of so many bits, of which there are enough.
func unpackBits(b []byte, width int, into []uint32) {
	var word uint64
	filled, at := 0, 0
	for i := range into {
		for ; filled < width; filled += 8 {
			word |= uint64(b[at]) << filled
			at++
		}
		into[i] = uint32(word & (1<<width - 1)) // of at most 32 bits
		word >>= width
		filled -= width
	}
}

// sizedHybrid is readHybrid of what has its length before it; it returns what follows.
func sizedHybrid(b []byte, width int, into []uint32) (rest []byte, err error) {
	if len(b) < 4 {
		return nil, errLevels
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, errLevels
	}
	return b[n:], readHybrid(b[:n], width, into)
}

// plainOf reads values that stand one after the other.
func plainOf[T Plain](b []byte, n int) ([]T, error) {
	out := []T{}
	switch into := any(&out).(type) {
	case *[]int64:
		if n > len(b)/8 {
			return nil, errValues
		}
		*into = make([]int64, n)
		for i := range *into {
			(*into)[i] = int64(binary.LittleEndian.Uint64(b[8*i:])) // as it was written
		}
	case *[]int32:
		if n > len(b)/4 {
			return nil, errValues
		}
		*into = make([]int32, n)
		for i := range *into {
			(*into)[i] = int32(binary.LittleEndian.Uint32(b[4*i:])) // the same
		}
	case *[]bool:
		if (n+7)/8 > len(b) {
			return nil, errValues
		}
		*into = make([]bool, n)
		for i := range *into {
			(*into)[i] = b[i/8]>>(i%8)&1 == 1
		}
	}
	return out, nil
}

// plainTexts reads texts, each with its length before it. They are part of b.
func plainTexts(b []byte, n int) ([][]byte, error) {
	if n > len(b)/4 {
		return nil, errValues
	}
	out := make([][]byte, n)
	for i := range out {
		if len(b) < 4 {
			return nil, errValues
		}
		size := uint64(binary.LittleEndian.Uint32(b))
		if b = b[4:]; size > uint64(len(b)) {
			return nil, errValues
		}
		out[i], b = b[:size:size], b[size:]
	}
	return out, nil
}
