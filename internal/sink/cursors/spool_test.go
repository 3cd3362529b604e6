package cursors

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"finoos-syncer/internal/scratch"

	"github.com/google/go-cmp/cmp"
)

func TestASpooledCursorComesBackAsItWas(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 1))
	instant := func() time.Time {
		if rng.IntN(3) == 0 {
			return time.Time{}
		}
		return time.UnixMicro(rng.Int64N(1 << 52)).UTC()
	}
	for range 500 {
		want := Cursor{
			UserID: fmt.Sprint("user", rng.IntN(100)), Stream: "accounts", CorrelationID: fmt.Sprintf("c-%d", rng.Uint64()), CorrelationAt: instant(),
			ExtractedAt: instant(), FullAt: instant(), PulledAt: instant(), Failures: rng.IntN(9), RetryAt: instant(), FirstSeenAt: instant(), ErrorClass: "server",
			HashVersion: 2, Ended: rng.IntN(2) == 0, FullSeq: rng.Uint64(), Whole: rng.IntN(2) == 0, Erased: rng.IntN(2) == 0,
		}
		for range rng.IntN(300) {
			want.State = append(want.State, byte(rng.Uint32()))
		}
		body := appendSpooled(nil, &want)
		got, err := decodeSpooled(body[len(body)-bodyLength(body):], true, want.UserID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		ids, err := decodeSpooled(body[len(body)-bodyLength(body):], false, "")
		if diff := cmp.Diff(Cursor{UserID: want.UserID, Stream: want.Stream, Ended: want.Ended}, ids); err != nil || diff != "" {
			t.Fatalf("ids: %v (-want +got):\n%s", err, diff)
		}
	}
}

// bodyLength is the length that a spooled cursor begins with.
func bodyLength(b []byte) int {
	r := scratch.NewReader(b)
	return int(r.Uvarint())
}
