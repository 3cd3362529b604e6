package pull

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

func veilOf(key string, columns map[string]table.MaskAction) *Veil {
	return NewVeil(&table.Masking{Key: []byte(key), Tables: map[string]table.Mask{"accounts": {Columns: columns}}})
}

const someKey = "0123456789abcdef"

var hidesIBAN = map[string]table.MaskAction{"iban": table.MaskHMAC}

func TestASealedStateIsReadByItsOwnCursorAlone(t *testing.T) {
	t.Parallel()
	v := veilOf(someKey, hidesIBAN)
	for _, size := range []int{0, 1, 62, 63, 64, 65, 5000} {
		state := bytes.Repeat([]byte{padMark}, size)
		sealed := v.seal("u", config.StreamAccounts, state)
		c := cursors.Cursor{UserID: "u", Stream: "accounts", State: sealed}
		if got := v.open(c); !bytes.Equal(got, state) {
			t.Errorf("%d bytes came back as %d", size, len(got))
		}
		if again := v.seal("u", config.StreamAccounts, state); bytes.Equal(again, sealed) {
			t.Error("two seals of one state are alike")
		}
		broken := bytes.Clone(sealed)
		broken[len(broken)-1] ^= 1
		header := bytes.Clone(sealed)
		header[5] ^= 1
		for what, of := range map[string]cursors.Cursor{
			"another user's":   {UserID: "v", Stream: "accounts", State: sealed},
			"another stream's": {UserID: "u", Stream: "contracts", State: sealed},
			"changed":          {UserID: "u", Stream: "accounts", State: broken},
			"a changed header": {UserID: "u", Stream: "accounts", State: header},
			"cut":              {UserID: "u", Stream: "accounts", State: sealed[:12]},
		} {
			if got := v.open(of); !bytes.Equal(got, of.State) {
				t.Errorf("%s was opened", what)
			}
			if _, err := decodeKeyed(v.open(of)); err == nil {
				t.Errorf("%s was decoded", what)
			}
		}
		for name, other := range map[string]*Veil{"another key": veilOf("another key of sixteen", hidesIBAN), "no key": veilOf("", nil), "no mask": nil} {
			if got := other.open(c); !bytes.Equal(got, sealed) {
				t.Errorf("%s opened it", name)
			}
		}
	}
}

func TestHowLongASealedStateIsTellsOfNoID(t *testing.T) {
	t.Parallel()
	v := veilOf(someKey, hidesIBAN)
	short := v.seal("u", config.StreamAccounts, keyed{"DE89370400440532013000": 1}.encode())
	long := v.seal("u", config.StreamAccounts, keyed{"MT84MALT011000012345MTLCAST001S": 1}.encode())
	if len(short) != len(long) {
		t.Errorf("%d and %d bytes", len(short), len(long))
	}
}

func TestOnlyWhatIsMaskedChangesHowHashesAreMade(t *testing.T) {
	t.Parallel()
	var none *Veil
	v := veilOf(someKey, hidesIBAN)
	for _, s := range config.Streams() {
		if none.hashVersion(s) != finoos.HashVersion {
			t.Errorf("%s: a job that masks nothing has version %d", s, none.hashVersion(s))
		}
		if got := v.hashVersion(s) != finoos.HashVersion; got != (s == config.StreamAccounts) {
			t.Errorf("%s: version %d", s, v.hashVersion(s))
		}
		if got := v.hashVersion(s); got <= 0 || got > 1<<31-1 {
			t.Errorf("%s: version %d does not fit its column", s, got)
		}
	}
	seen := map[int]string{}
	for name, other := range map[string]*Veil{
		"one":             v,
		"another key":     veilOf("fedcba9876543210", hidesIBAN),
		"another action":  veilOf(someKey, map[string]table.MaskAction{"iban": table.MaskDrop}),
		"another column":  veilOf(someKey, map[string]table.MaskAction{"bic": table.MaskHMAC}),
		"one column more": veilOf(someKey, map[string]table.MaskAction{"iban": table.MaskHMAC, "bic": table.MaskHMAC}),
		"without a key":   veilOf("", map[string]table.MaskAction{"iban": table.MaskDrop}),
	} {
		version := other.hashVersion(config.StreamAccounts)
		if seen[version] != "" {
			t.Errorf("%s and %s are of one version", name, seen[version])
		}
		seen[version] = name
		c := cursors.Cursor{UserID: "u", Stream: "accounts", PulledAt: time.Unix(1, 0), HashVersion: v.hashVersion(config.StreamAccounts)}
		if other.HasOtherMask(c) != (name != "one") {
			t.Errorf("%s: other mask is %v", name, other.HasOtherMask(c))
		}
	}
	if dropped, again := veilOf("fedcba9876543210", map[string]table.MaskAction{"bic": table.MaskDrop}), veilOf(someKey, map[string]table.MaskAction{"bic": table.MaskDrop}); dropped.hashVersion(config.StreamAccounts) != again.hashVersion(config.StreamAccounts) {
		t.Error("where nothing is hashed, another key is another mask")
	}
}

func TestAnIDOfALoginComesBackFromItsSeal(t *testing.T) {
	t.Parallel()
	v := veilOf(someKey, hidesIBAN)
	for _, id := range []string{"l", "dd5868e9-7d75-49f4-96e7-8eead29c8c54", "sealed:", strings.Repeat("x", longestSealed)} {
		sealed := v.SealLogin("u", id)
		if strings.Contains(sealed, id) && id != "sealed:" && id != "l" || v.OpenLogin("u", sealed) != id || len(sealed) > 1024 {
			t.Errorf("%.20s: %.40s, %d bytes", id, sealed, len(sealed))
		}
		if v.OpenLogin("v", sealed) != sealed || v.OpenLogin("u", id) != id {
			t.Errorf("%.20s was opened by another, or where it was not sealed", id)
		}
	}
	var none *Veil
	if none.SealLogin("u", "l") != "l" || none.OpenLogin("u", "l") != "l" {
		t.Error("a job that masks nothing seals")
	}
}
