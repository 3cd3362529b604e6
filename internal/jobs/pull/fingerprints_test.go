package pull

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatesSurviveEncoding(t *testing.T) {
	t.Parallel()
	k := keyed{"b": 2, "a": 1, "": 0, "ü\x00tag": 1<<64 - 1}
	if got, err := decodeKeyed(k.encode()); err != nil || !cmp.Equal(got, k) {
		t.Errorf("keyed: got %v, %v", got, err)
	}
	w := window{
		newest: map[string]int32{"acc": 20000, "empty": noDate},
		seen:   bookings{"acc": {"t1": {days: -3, hash: 9}, "t2": {days: noDate}}},
		route:  route{way: wayLastMonths, since: 20001},
	}
	got, err := decodeWindow(w.encode())
	if diff := cmp.Diff(w, got, cmp.AllowUnexported(window{}, booked{}, route{})); err != nil || diff != "" {
		t.Errorf("window: %v %s", err, diff)
	}
	h := history{
		{series{"a", "EUR"}, 24311}: {bitmap: 1 << 31, hash: 7, days: map[int]uint32{31: 5}},
		{series{"a", ""}, 24311}:    {bitmap: 2, hash: 7},
		{series{"b", "EUR"}, 1}:     {bitmap: 6, beyond: 8, hash: 8},
	}
	gotHistory, err := decodeHistory(h.encode())
	if diff := cmp.Diff(h, gotHistory, cmp.AllowUnexported(monthKey{}, month{}, series{})); err != nil || diff != "" {
		t.Errorf("history: %v %s", err, diff)
	}
}

func TestTheSameFingerprintsEncodeToTheSameBytes(t *testing.T) {
	t.Parallel()
	k := keyed{}
	for i := range 100 {
		k[string(rune('a'+i))] = uint64(i)
	}
	first := k.encode()
	for range 10 {
		if !cmp.Equal(first, k.encode()) {
			t.Fatal("encoding depends on the order of a map")
		}
	}
}

// Whatever stands in a cursor object, decoding it gives an error or a state
// that encodes again; a run must not crash on it.
func FuzzStatesThatAreDamaged(f *testing.F) {
	f.Add(keyed{"a": 1}.encode())
	f.Add(window{newest: map[string]int32{"a": 1}, seen: bookings{"a": {"t": {1, 2}}}}.encode())
	f.Add(history{{series{"a", "EUR"}, 1}: {bitmap: 2, hash: 3, days: map[int]uint32{1: 2}}, {series{"a", "EUR"}, 2}: {beyond: 4}}.encode())
	f.Add([]byte{stateVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, state []byte) {
		if k, err := decodeKeyed(state); err == nil {
			if again, err := decodeKeyed(k.encode()); err != nil || !cmp.Equal(k, again) {
				t.Errorf("keyed does not survive: %v", err)
			}
		}
		if w, err := decodeWindow(state); err == nil {
			if _, err := decodeWindow(w.encode()); err != nil {
				t.Errorf("window does not survive: %v", err)
			}
		}
		if h, err := decodeHistory(state); err == nil {
			if _, err := decodeHistory(h.encode()); err != nil {
				t.Errorf("history does not survive: %v", err)
			}
		}
	})
}
