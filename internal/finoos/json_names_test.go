package finoos

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestLongNamesAreNotRemembered(t *testing.T) {
	t.Parallel()
	d := new(recordDecoder)
	for i := range 12 {
		v, ok := parseValue(fmt.Appendf(nil, `{"transactionId":"t","accountId":"a","%d%s":null}`, i, strings.Repeat("n", 4096)))
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
	record := `{"a":"` + strings.Repeat("a", maxRecord/2) + `"}`
	body := `{"context":"` + strings.Repeat("c", maxRecord+60_000) + `","x":"` + strings.Repeat("x", 30_000) +
		`","list":[` + record + `,` + record + `,` + record + `]}`
	s := newStream(func() io.Reader { return strings.NewReader(body) }, []string{"list"})
	defer s.close()
	for i := range 3 {
		if err := s.next(func(b []byte) (int, error) { return s.syntax.valueEnd(b, 0) }); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}

func TestADecoderThatIsKeptRefersToNoAnswer(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"a second name": `{"id":"c"}`, "many of them": `{` + strings.Repeat(`"id":"c",`, 2*maxNames) + `"id":"c"}`,
		"a long name": `{"id":"c","` + strings.Repeat("n", 2*maxName) + `":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := new(recordDecoder)
			v, ok := parseValue([]byte(record))
			if _, err := contractSchema.decode(d, v); err != nil || !ok {
				t.Fatal(err, ok)
			}
			d.forget()
			for _, l := range d.late[:cap(d.late)] {
				if l.value.raw != nil || l.name.raw != nil {
					t.Fatal("a member is kept")
				}
			}
			for _, n := range d.names {
				if n != nil && n.long.raw != nil {
					t.Error("a long name is kept")
				}
			}
		})
	}
}
