package human

import "testing"

func TestHintNamesTheClosestThatMayHaveBeenMeant(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"acounts":         `; did you mean "accounts"?`,
		"conrtacts":       `; did you mean "contracts"?`, // a swap is one edit
		"Account-History": `; did you mean "account_history"?`,
		"users":           `; did you mean "users"?`,
		"weather":         "",
		"":                "",
	} {
		if got := Meant(name, []string{"accounts", "account_history", "contracts", "users"}); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestEveryKindOfEditCountsOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"ab", "abc", 1}, {"abc", "ac", 1}, {"abc", "axc", 1}, {"abc", "bac", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}} {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: %d edits, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
