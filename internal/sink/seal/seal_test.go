package seal

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestASealTellsEveryFlippedBitAndEveryOtherKey(t *testing.T) {
	t.Parallel()
	const key = "_syncer/j/log/1.json"
	plain := []byte(`{"run_id":"r1","n":[1,2]}`)
	body := Add(key, plain)
	if whole, err := Check(key, body); !whole || err != nil {
		t.Fatalf("%s: %v, %v", body, whole, err)
	}
	var read struct {
		RunID  string `json:"run_id"`
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(body, &read); err != nil || read.RunID != "r1" || len(read.SHA256) != 64 {
		t.Errorf("%s is read as %+v, %v", body, read, err)
	}
	if whole, err := Check("_syncer/j/log/2.json", body); whole || !errors.Is(err, ErrBroken) {
		t.Errorf("under another key: %v, %v", whole, err)
	}
	for at := range body {
		for bit := range 8 {
			hurt := append([]byte(nil), body...)
			hurt[at] ^= 1 << bit
			if whole, err := Check(key, hurt); whole || !errors.Is(err, ErrBroken) {
				t.Errorf("byte %d, bit %d: %v, %v: %s", at, bit, whole, err, hurt)
			}
		}
	}
	for n := range body { // cut off, it is no JSON
		if whole, err := Check(key, body[:n]); whole || err == nil && json.Valid(body[:n]) {
			t.Errorf("cut to %d bytes: %v, %v", n, whole, err)
		}
	}
}

func TestAnEmptyObjectIsSealed(t *testing.T) {
	t.Parallel()
	body := Add("k", []byte(" {} \n"))
	if whole, err := Check("k", body); !whole || err != nil || !json.Valid(body) {
		t.Errorf("%s: %v, %v", body, whole, err)
	}
}

func TestWhatHasNoSealIsReadWithoutIt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{", `{"run_id":"r1"}`, `{"sha256":"x"}`} {
		if whole, err := Check("key", []byte(body)); whole || err != nil {
			t.Errorf("%s: %v, %v", body, whole, err)
		}
	}
}
