package bucket

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxKey is S3's limit for a key, prefix included.
const maxKey = 1024

// ValidKey says why a key cannot be used, or nil. Keys are segments joined by
// single slashes; a segment is not empty and does not begin with a dot, since
// such names are a folder's own business (and query engines overlook them).
func ValidKey(key string) error {
	switch {
	case key == "":
		return errors.New("invalid key: it is empty")
	case len(key) > maxKey:
		return fmt.Errorf("invalid key %.40q…: longer than %d bytes", key, maxKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("invalid key %q: not printable text", key)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" {
			return fmt.Errorf("invalid key %q: it has an empty segment", key)
		}
		if segment[0] == '.' {
			return fmt.Errorf("invalid key %q: a segment begins with a dot", key)
		}
	}
	return nil
}
