package finoos

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestLongNamesAreNotRemembered(t *testing.T) {
	t.Parallel()
	d := new(decoder)
	for i := range 12 {
		v, ok := parseValue(fmt.Appendf(nil, `{"transactionId":"t","%d%s":null}`, i, strings.Repeat("n", 4096)))
		if !ok {
			t.Fatal("not JSON")
		}
		if _, err := transactionSchema.decode(d, v); err != nil {
			t.Fatal(err)
		}
	}
	known := 0
	for _, n := range d.names {
		if n == nil {
			continue
		}
		known += len(n.known)
		for _, k := range n.known {
			if len(k.raw) > maxName {
				t.Errorf("a name of %d bytes is remembered", len(k.raw))
			}
		}
	}
	if known == 0 {
		t.Error("no name is remembered at all")
	}
}

// The text that tells about pages may be larger than a record may be by what a
// window holds beside it.
func TestRecordsBehindALargeTextAreNotTooLarge(t *testing.T) {
	t.Parallel()
	body := `{"context":"` + strings.Repeat("c", maxRecord+50_000) + `","list":[` +
		`{"a":"` + strings.Repeat("a", maxRecord/2) + `"},{"a":"` + strings.Repeat("a", maxRecord/2) + `"}]}`
	s := newStream(func() io.Reader { return strings.NewReader(body) }, []string{"list"})
	defer s.close()
	for i := range 2 {
		if err := s.next(func(b []byte) (int, error) { return s.syntax.valueEnd(b, 0) }); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}
