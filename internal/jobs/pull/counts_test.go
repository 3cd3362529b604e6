package pull

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"finoos-syncer/internal/jobs/config"
)

// tagged is a lake of tags, which come in entries.
func tagged(t *testing.T, spilled bool, entries *[]record) *lake {
	t.Helper()
	return newLake(t, &desk{answer: func(string, url.Values) (int, any) {
		return http.StatusOK, record{"categorization": *entries}
	}}, spilled, config.Job{Streams: []config.Stream{config.StreamCategorization}, Categorization: config.CategorizationFull})
}

func TestWhatIsSaidTwiceIsCountedOnlyWhereItDiffers(t *testing.T) {
	t.Parallel()
	entry := func(odd any, tags ...any) record {
		return record{"transactionId": "t", "tags": tags, "odd": odd}
	}
	for _, spilled := range []bool{false, true} {
		for name, tc := range map[string]struct {
			entries []record
			want    Issues
		}{
			"the same":           {[]record{entry(1, "a"), entry(1, "a")}, Issues{NoAccount: 2}},
			"the same tag twice": {[]record{entry(1, "a", "a")}, Issues{NoAccount: 1}},
			"another":            {[]record{entry(1, "a"), entry(2, "a")}, Issues{NoAccount: 2, Repeated: 1}},
			"two others":         {[]record{entry(1, "a"), entry(2, "a"), entry(3, "a")}, Issues{NoAccount: 3, Repeated: 2}},
			"another, and odd":   {[]record{entry(1, "a"), entry(2, "a", record{"x": 1})}, Issues{NoAccount: 2, Repeated: 1, Unreadable: 1}},
		} {
			t.Run(fmt.Sprint(name, " spilled ", spilled), func(t *testing.T) {
				t.Parallel()
				l := tagged(t, spilled, &tc.entries)
				for range 2 {
					if l.pull(config.StreamCategorization); l.issues != tc.want {
						t.Errorf("counted %s, want %s", l.issues.JSON(), tc.want.JSON())
					}
				}
			})
		}
	}
}

func TestASeriesWithoutACurrencyIsCountedOnceHoweverItComes(t *testing.T) {
	t.Parallel()
	entries, l := newHistory(t, config.Job{})
	for _, lists := range [][][]record{{days(0, 9)}, {days(0, 5), days(6, 9)}, {days(0, 5), days(5, 9), days(9, 9)}} {
		*entries = nil
		for _, list := range lists {
			*entries = append(*entries, record{"accountId": "giro", "balances": list})
		}
		if l.pull(config.StreamAccountHistory); l.issues != (Issues{NoCurrency: 1}) {
			t.Errorf("%d entries: %s", len(lists), l.issues.JSON())
		}
	}
}
