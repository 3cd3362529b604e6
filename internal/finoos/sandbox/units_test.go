package sandbox

import (
	"encoding/json"
	"testing"
	"time"
)

func TestUserIDsLeadBack(t *testing.T) {
	t.Parallel()
	u := newUserIDs(dice(42))
	seen := map[string]bool{}
	for _, i := range []int{0, 1, 2, 99, 1_000_000, 1<<48 - 1} {
		id := u.id(i)
		if back, known := u.index(id); !known || back != i || seen[id] {
			t.Errorf("%d -> %s -> %d, %v", i, id, back, known)
		}
		seen[id] = true
	}
	for _, id := range []string{"", "nobody", newUserIDs(dice(43)).id(5), u.id(5)[:35] + "x"} {
		if i, known := u.index(id); known {
			t.Errorf("%q is taken for user %d", id, i)
		}
	}
}

func TestGermanTimeKnowsItsSummers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-29T00:59:59Z": "2026-03-29T01:59:59+01:00",
		"2026-03-29T01:00:00Z": "2026-03-29T03:00:00+02:00",
		"2026-10-25T00:59:59Z": "2026-10-25T02:59:59+02:00",
		"2026-10-25T01:00:00Z": "2026-10-25T02:00:00+01:00",
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := berlin(at).Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := berlin(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)); got.Year() != 1 {
		t.Errorf("the first day of all is %s", got)
	}
	for d := date(2024, 1, 1); d < date(2027, 1, 1); d++ {
		if got := d.at(0).Format(time.RFC3339); got != d.long() || dayOf(d.at(0)) != d {
			t.Errorf("%s begins at %s or %s", d, got, d.long())
		}
		if d.String() != d.utc().Format(time.DateOnly) {
			t.Errorf("%s is printed as %s", d.utc(), d)
		}
	}
}

func TestAmountsArePrintedFromCents(t *testing.T) {
	t.Parallel()
	for cents, want := range map[int64]string{0: "0.00", 5: "0.05", -5: "-0.05", -123456: "-1234.56", 100: "1.00"} {
		if got := string(appendCents(nil, cents)); got != want {
			t.Errorf("%d: got %s, want %s", cents, got, want)
		}
	}
}

func TestTextsSurviveTheWire(t *testing.T) {
	t.Parallel()
	text := "Grüße \"aus\" \\ Nguyễn\n😀"
	for _, ascii := range []bool{false, true} {
		w := wire{ascii: ascii}
		w.quote(text)
		var got string
		if err := json.Unmarshal(w.b, &got); err != nil || got != text {
			t.Errorf("%s: %q, %v", w.b, got, err)
		}
	}
}

func TestKnownIBANsHaveTheirCheckDigits(t *testing.T) {
	t.Parallel()
	if got := iban("37040044", "532013000"); got != "DE89370400440532013000" {
		t.Error(got)
	}
	if got := creditorID("09999999999"); got != "DE98ZZZ09999999999" {
		t.Error(got)
	}
}

func TestCanonicalExtraLeavesOutWhatMoves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ table, text, want string }{
		{"users", `{"expiresIn":5}`, ""},
		{"users", `{"b":1.50,"a":null,"c":""}`, `{"b":1.50}`},
		{"accounts", `{"standingOrders":[{"id":"x","amount":1.00}],"a":[]}`, `{"a":[],"standingOrders":[{"amount":1.00}]}`},
		{"transactions", "", ""},
	} {
		if got, err := CanonicalExtra(c.table, c.text); err != nil || got != c.want {
			t.Errorf("%s: got %s %v, want %s", c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{"[1]", "{", "{} {}"} {
		if got, err := CanonicalExtra("users", bad); err == nil {
			t.Errorf("%s passes as %s", bad, got)
		}
	}
}
