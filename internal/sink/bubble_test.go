package sink

import (
	"bytes"
	"slices"
)

// The compressor of Parquet files is one for the whole process, and holds
// channels that it makes when it is first used: in a synctest bubble, nobody
// outside could use it any more. So it is used here, before any test.
var _ = warmCompressor()

func warmCompressor() int {
	body, _, err := encodeCursors([]Cursor{{UserID: "user", Stream: "stream"}})
	if err != nil {
		panic(err)
	}
	return len(slices.Collect(func(yield func(Cursor) bool) {
		for c, err := range readCursors(bytes.NewReader(body), BucketOf("user"), true) {
			if err != nil {
				panic(err)
			}
			yield(c)
		}
	}))
}
