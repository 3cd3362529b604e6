package bucket

import (
	"strings"
	"testing"
)

// FuzzURL: a store URL is refused, without being repeated as a whole, or names a place
// that keys can be joined to.
func FuzzURL(f *testing.F) {
	for _, raw := range []string{
		"s3://acme-lake/finoos?region=eu-west-1", "s3://acme?endpoint=https%3A%2F%2Fx&path_style=false", "file:///var/lib/my%20lake", "file://./lake",
		"s3://user:password@acme", "s3://acme/../x", "s3://acme/%00", "s3://acme:443", "file:..", "://", "s3://acme?region=a&region=b", "gs://acme",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		loc, err := parseURL(raw)
		if err != nil {
			if len(raw) > 20 && strings.Contains(err.Error(), raw) {
				t.Errorf("the error repeats the URL: %v", err)
			}
			return
		}
		if (loc.folder == "") == (loc.bucket == "") {
			t.Errorf("%q is %+v", raw, loc)
		}
		if loc.prefix != "" {
			if prefix, ok := strings.CutSuffix(loc.prefix, "/"); !ok || ValidKey(prefix) != nil {
				t.Errorf("%q has the prefix %q", raw, loc.prefix)
			}
		}
		if loc.endpoint != "" && validEndpoint(loc.endpoint) != nil || strings.ContainsAny(loc.bucket, "@/?#") {
			t.Errorf("%q is %+v", raw, loc)
		}
	})
}
