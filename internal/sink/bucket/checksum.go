package bucket

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// maxParts is S3's limit for the parts of one upload.
const maxParts = 10_000

// crc32Of is the checksum of a body as S3 spells it.
func crc32Of(body []byte) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func validNumber(number int) error {
	if number < 1 || number > maxParts {
		return fmt.Errorf("invalid part number %d: not within 1 and %d", number, maxParts)
	}
	return nil
}

// validParts checks what every store asks of a completion, and returns the
// object's size.
func validParts(parts []Part) (int64, error) {
	if len(parts) == 0 {
		return 0, fmt.Errorf("%w: invalid parts: there are none", ErrBadUpload)
	}
	var size int64
	for i, part := range parts {
		if err := validNumber(part.Number); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrBadUpload, err)
		}
		if i > 0 && part.Number <= parts[i-1].Number {
			return 0, fmt.Errorf("%w: invalid parts: number %d follows %d", ErrBadUpload, part.Number, parts[i-1].Number)
		}
		if i < len(parts)-1 && part.Size < MinPart {
			return 0, fmt.Errorf("%w: invalid parts: number %d holds %d bytes, less than %d, and is not the last", ErrBadUpload, part.Number, part.Size, MinPart)
		}
		size += part.Size
	}
	return size, nil
}
