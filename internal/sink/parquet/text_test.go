package parquet

import "testing"

func TestARunOfRowsHoldsItsTextOnceAndANumberForEach(t *testing.T) {
	t.Parallel()
	const number, level, entry = 4, 1, 4 + 2*4 + 3
	for _, tt := range []struct {
		claim  string
		column Column
		text   string
		want   int64
	}{
		{"a text that may be missing", Column{dictionary: true}, "abc", entry + 10*(number+level)},
		{"a text that is always there", Column{dictionary: true, Required: true}, "abc", entry + 10*number},
		{"a null", Column{dictionary: true}, "", 10 * level},
		{"a text without a dictionary", Column{}, "abc", 10 * (level + 4 + 3)},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			t.Parallel()
			file := binding{hook: func(Column) (func(string) string, bool) { return nil, false }}
			b := newTextBuffer(tt.column, &file)
			b.addRun(tt.text, 10)
			if file.held != tt.want || b.slots() != 10 {
				t.Errorf("ten rows hold %d bytes in %d slots, want %d", file.held, b.slots(), tt.want)
			}
		})
	}
}
