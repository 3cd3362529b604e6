package parquet

import (
	"sync"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// The Parquet library makes a new zstd encoder for every page, and clearing
// its tables takes longer than compressing. Registering a codec is its way to
// do better; it wants to be done before anything is written, hence here.
var _ = registerZstd()

// zstdCodec compresses with encoders that are kept. Everything but EncodeLevel
// is the library's own.
type zstdCodec struct {
	compress.Codec
	encoders [zstd.SpeedBestCompression + 1]func() (*zstd.Encoder, error)
}

func registerZstd() *zstdCodec {
	own, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return nil // unknown to the library: writing will say so
	}
	c := &zstdCodec{Codec: own}
	for speed := range c.encoders {
		c.encoders[speed] = sync.OnceValues(func() (*zstd.Encoder, error) {
			return zstd.NewWriter(nil,
				zstd.WithEncoderLevel(zstd.EncoderLevel(speed)),
				zstd.WithZeroFrames(true), // an empty page is compressed too
				// Identifiers hardly match each other, but are hexadecimal: without
				// this the quickest level stores them as they are, at twice the size.
				zstd.WithAllLitEntropyCompression(true),
				zstd.WithWindowSize(1<<20),
				zstd.WithLowerEncoderMem(true))
		})
	}
	compress.RegisterCodec(compress.Codecs.Zstd, c)
	return c
}

// EncodeLevel is safe for concurrent use.
func (c *zstdCodec) EncodeLevel(dst, src []byte, level int) []byte {
	speed := zstd.EncoderLevelFromZstd(level)
	if level == compress.DefaultCompressionLevel {
		speed = zstd.SpeedDefault
	}
	encoder, err := c.encoders[speed]()
	if err != nil {
		return c.Codec.EncodeLevel(dst, src, level)
	}
	return encoder.EncodeAll(src, dst[:0])
}
