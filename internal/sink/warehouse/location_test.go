package warehouse

import (
	"strings"
	"testing"
)

func TestALocationThatSaysMoreThanItShowsIsRefused(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"s3://acme/a\n; DROP TABLE x; --":                 "not shown",
		"s3://acme/a%0A%3B%20DROP%20TABLE%20x%3B--":       "not shown",
		"s3://acme/a%0d":                                  "not shown",
		"s3://acme/a%00b":                                 "not shown",
		"s3://acme/a%E2%80%AEb":                           "not shown", // turns the direction of reading
		"s3://acme/a%E2%80%A8b":                           "not shown",
		"s3://acme/a%FF":                                  "not shown",
		"file:///lake%0a":                                 "not shown",
		"lake\x1b[2J":                                     "not shown",
		"lake\u009b":                                      "not shown",
		"s3://acme/o'brien":                               "a quote",
		"s3://acme/o%27brien":                             "a quote",
		`s3://acme/o"brien`:                               "a quote",
		"s3://acme/o%60brien":                             "a quote",
		`s3://acme/o%5C`:                                  "a quote or a backslash",
		"s3://ac'me/x":                                    "a quote",
		"gs://acme/o'brien":                               "a quote",
		"s3://acme/x?region=eu'--":                        "no name of a region",
		"s3://acme/x?region=eu%0A":                        "no name of a region",
		"s3://acme/x?endpoint=http://a'b:9000":            "endpoint is no address",
		"s3://acme/x?endpoint=http%3A%2F%2Fa%2527b%3A900": "endpoint is no address",
	} {
		for _, dialect := range Dialects() {
			_, err := Statements(Options{Dialect: dialect, Location: location})
			if err == nil {
				t.Errorf("%s takes %q", dialect, location)
				continue
			}
			if dialect == "duckdb" && !strings.Contains(err.Error(), want) && !strings.HasPrefix(location, "gs:") {
				t.Errorf("%q: %v, want %q", location, err, want)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return !isShown(string(r)) }) {
				t.Errorf("%q: the error has what is not shown: %q", location, err)
			}
		}
	}
}

func TestAPrefixIsNoPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dialect, location string
		refused           bool
	}{
		{"bigquery", "gs://acme/a*", true},
		{"bigquery", "gs://acme/a[1]", false},
		{"databricks", "s3://acme/a*", true},
		{"databricks", "s3://acme/a{b,c}", true},
		{"databricks", "s3://acme/a%3Fb", true},
		{"athena", "s3://acme/${day}", true},
		{"athena", "s3://acme/a*", false},
		{"duckdb", "s3://acme/a[1]*", false}, // is taken literally
	} {
		script := new(strings.Builder)
		err := Write(script, Options{Dialect: c.dialect, Location: c.location})
		if refused := err != nil; refused != c.refused {
			t.Errorf("%s, %s: %v", c.dialect, c.location, err)
		}
	}
}

func TestAFolderMayHaveAQuote(t *testing.T) {
	t.Parallel()
	script := new(strings.Builder)
	if err := Write(script, Options{Dialect: "duckdb", Location: `/home/o'brien/my "lake"`}); err != nil {
		t.Fatal(err)
	}
	if want := `read_parquet('/home/o''brien/my "lake"/pulls/**/*.parquet'`; !strings.Contains(script.String(), want) {
		t.Errorf("the script lacks %s:\n%s", want, script)
	}
}
