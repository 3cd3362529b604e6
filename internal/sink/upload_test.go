package sink

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

func TestAnUploadIsSentInPartsWhileItGrows(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, bucket.MinPart - 1, bucket.MinPart, bucket.MinPart + 1, 3*bucket.MinPart + 7, 9 * bucket.MinPart} {
		store := newMemStore()
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(rand.N(256))
		}
		u := newUploader(store, "key", newPartSlots(), t.TempDir())
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 1+rand.N(3<<20))
			if _, err := u.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			if err := u.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; u.held() >= bucket.MinPart || cap(u.buf) > 2*uploadMemory+3<<20 {
				t.Errorf("%d bytes are held, %d of them in memory", u.held(), cap(u.buf))
			}
			if u.to > bucket.MinPart+3<<20 {
				t.Errorf("the scratch file holds %d bytes", u.to)
			}
		}
		up, err := u.finish(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(store.objects) > 0 {
			t.Errorf("size %d: visible before it is completed", size)
		}
		if want := (size + bucket.MinPart - 1) / bucket.MinPart; len(up.Parts) != want {
			t.Errorf("size %d: %d parts, want %d", size, len(up.Parts), want)
		}
		if err := store.CompleteUpload(t.Context(), up.Upload, up.Parts); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if got := store.objects["key"].body; !bytes.Equal(got, body) || u.bytes != int64(size) || u.checksum() != hex.EncodeToString(sum[:]) {
			t.Errorf("size %d: read back %d bytes, counted %d, checksum %s", size, len(got), u.bytes, u.checksum())
		}
	}
}

func TestTenThousandPartsSufficeForATerabyte(t *testing.T) {
	t.Parallel()
	var total int64
	u := newUploader(nil, "key", newPartSlots(), "")
	for len(u.parts) < 10_000 {
		total += int64(u.partSize())
		u.parts = append(u.parts, bucket.Part{})
	}
	if total < 1<<40 {
		t.Errorf("10,000 parts hold %d bytes", total)
	}
}
