package sink

import (
	"bytes"

	"finoos-syncer/internal/sink/cursors"
)

// The compressor of Parquet files is one for the whole process, and holds
// channels that it makes when it is first used: in a synctest bubble, nobody
// outside could use it any more. So it is used here, before any test.
var _ = warmCompressor()

func warmCompressor() int64 {
	body, _, err := cursors.Encode([]cursors.Cursor{{UserID: "user", Stream: "stream"}})
	if err != nil {
		panic(err)
	}
	n, err := cursors.Count(bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	return n
}
