package warehouse

import (
	"strings"
	"testing"
)

// FuzzLocation: a location is refused, or stands in SQL as one literal and in a comment
// as one line.
func FuzzLocation(f *testing.F) {
	for _, text := range []string{
		"s3://acme/finoos?region=eu-west-1", "s3://acme?endpoint=http://127.0.0.1:9000&path_style=true", "gs://acme/x", "file:///lake", "/var/lib/lake/", "lake's", "/",
		"s3://user:password@acme", "s3:///x", "s3://acme/\n--", "file://./x", "http://x", "a\nb", "a\rb", "a\x00b", "a\u2028b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLocation(text)
		if err != nil {
			return
		}
		if shown := l.shown(); strings.ContainsAny(shown, "\n\r\x00\x0b\x0c\u0085\u2028\u2029") {
			t.Errorf("%q is shown as %q", text, shown)
		}
		if lit := literal(l.below(l.kind, "x")); strings.Count(lit, "'")%2 != 0 || !strings.HasPrefix(lit, "'") || !strings.HasSuffix(lit, "'") {
			t.Errorf("%q stands in SQL as %s", text, lit)
		}
	})
}
