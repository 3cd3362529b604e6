package parquet

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unmix reads what appendHybrid wrote, as Parquet's document says it.
func unmix(t *testing.T, b []byte, width, count int) (numbers []int32) {
	t.Helper()
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		b = b[n:]
		if head&1 == 0 {
			var v int32
			for i := range (width + 7) / 8 {
				v |= int32(b[i]) << (8 * i)
			}
			b = b[(width+7)/8:]
			for range head >> 1 {
				numbers = append(numbers, v)
			}
			continue
		}
		groups := int(head >> 1)
		for i := range 8 * groups {
			var v int32
			for bit := range width {
				at := i*width + bit
				v |= int32(b[at/8]>>(at%8)&1) << bit
			}
			numbers = append(numbers, v)
		}
		b = b[groups*width:]
	}
	if len(numbers) < count || len(numbers) >= count+leastRun {
		t.Fatalf("%d numbers, want %d and less than eight more", len(numbers), count)
	}
	return numbers[:count]
}

func TestRunsAndPackedNumbersComeBack(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 2000 {
		width := 1 + round%17
		var want []int32
		for range rng.IntN(6) {
			v := rng.Int32N(1 << width)
			for range rng.IntN(40) {
				if round%3 == 0 {
					v = rng.Int32N(1 << width)
				}
				want = append(want, v)
			}
		}
		body := appendHybrid([]byte("x"), want, width)
		if diff := cmp.Diff(want, unmix(t, body[1:], width, len(want))); diff != "" {
			t.Fatalf("%d bits (-want +got):\n%s", width, diff)
		}
	}
}

func TestAWidthHoldsAllNumbersBelow(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 256: 8, 257: 9, 16 << 10: 14, 16<<10 + 1: 15} {
		if got := widthOf(n); got != want {
			t.Errorf("numbers below %d take %d bits, want %d", n, got, want)
		}
	}
}
