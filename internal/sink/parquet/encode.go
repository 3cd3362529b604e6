package parquet

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// How Parquet encodes levels and values in a page. The library's own encoders
// do the same, value by value and behind interfaces.

// leastRun is how many equal values in a row are worth a run of their own.
const leastRun = 8

// appendHybrid appends numbers below 1<<width in the form that is a mixture of
// runs and of bits packed by eight numbers.
func appendHybrid[T byte | int32](dst []byte, numbers []T, width int) []byte {
	for len(numbers) > 0 {
		if n := runOf(numbers, len(numbers)); n >= leastRun {
			dst = binary.AppendUvarint(dst, uint64(n)<<1)
			for rest := 0; rest < width; rest += 8 {
				dst = append(dst, byte(uint64(numbers[0])>>rest)) // numbers are not negative
			}
			numbers = numbers[n:]
			continue
		}
		n := leastRun
		for n < len(numbers) && runOf(numbers[n:], leastRun) < leastRun {
			n += leastRun
		}
		dst = binary.AppendUvarint(dst, uint64(n/leastRun)<<1|1)
		dst = appendPacked(dst, numbers[:min(n, len(numbers))], width)
		numbers = numbers[min(n, len(numbers)):]
	}
	return dst
}

// runOf counts how often the first number stands at the beginning, up to most.
func runOf[T byte | int32](numbers []T, most int) int {
	n := 1
	for n < most && n < len(numbers) && numbers[n] == numbers[0] {
		n++
	}
	return n
}

// appendPacked packs numbers into width bits each, the last eight filled up
// with zeros.
func appendPacked[T byte | int32](dst []byte, numbers []T, width int) []byte {
	var word uint64
	filled := 0
	for _, v := range numbers {
		word |= uint64(v) << filled
		for filled += width; filled >= 8; filled -= 8 {
			dst = append(dst, byte(word))
			word >>= 8
		}
	}
	missing := (filled + (leastRun-len(numbers)%leastRun)%leastRun*width + 7) / 8
	for range missing {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}

// widthOf is how many bits the numbers below n take.
func widthOf(n int) int { return max(1, bits.Len(uint(max(n, 1)-1))) }

// appendLevels appends the levels of a page, with their length before them.
func appendLevels(dst, levels []byte, width int) []byte {
	at := len(dst)
	dst = appendHybrid(append(dst, 0, 0, 0, 0), levels, width)
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4)) // a page is far smaller
	return dst
}

// Plain is what columns of one width hold.
type Plain interface{ bool | int32 | int64 }

// appendPlain appends values one after the other, truth values as bits.
func appendPlain[T Plain](dst []byte, values []T) []byte {
	switch values := any(values).(type) {
	case []int64:
		dst = slices.Grow(dst, 8*len(values))
		for _, v := range values {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
	case []int32:
		dst = slices.Grow(dst, 4*len(values))
		for _, v := range values {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
		}
	case []bool:
		for eight := range slices.Chunk(values, 8) {
			var b byte
			for i, v := range eight {
				if v {
					b |= 1 << i
				}
			}
			dst = append(dst, b)
		}
	}
	return dst
}

// boundsOf returns the least and the greatest value, encoded; nil where there
// is none.
func boundsOf[T Plain](values []T) (least, most []byte) {
	if len(values) == 0 {
		return nil, nil
	}
	switch values := any(values).(type) {
	case []int64:
		return appendPlain(nil, []int64{slices.Min(values)}), appendPlain(nil, []int64{slices.Max(values)})
	case []int32:
		return appendPlain(nil, []int32{slices.Min(values)}), appendPlain(nil, []int32{slices.Max(values)})
	case []bool:
		return appendPlain(nil, []bool{!slices.Contains(values, false)}), appendPlain(nil, []bool{slices.Contains(values, true)})
	}
	return nil, nil
}

// appendText appends a text with its length before it.
func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(text))), text...) // bounded by the memory of a row group
}
