package bucket

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoreURLsAreRead(t *testing.T) {
	t.Parallel()
	relative, err := filepath.Abs("lake")
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]location{
		"s3://acme":                                           {bucket: "acme"},
		"s3://acme-lake/finoos?region=eu-west-1":              {bucket: "acme-lake", prefix: "finoos/", region: "eu-west-1"},
		"s3://acme/a/b/":                                      {bucket: "acme", prefix: "a/b/"},
		"s3://acme?endpoint=http://127.0.0.1:90/":             {bucket: "acme", endpoint: "http://127.0.0.1:90", pathStyle: true},
		"s3://acme?endpoint=https%3A%2F%2Fx&path_style=false": {bucket: "acme", endpoint: "https://x"},
		"s3://acme?path_style=true":                           {bucket: "acme", pathStyle: true},
		"file:///var/lib/my%20lake":                           {folder: "/var/lib/my lake"},
		"file://./lake":                                       {folder: relative},
		"file://../bucket/lake":                               {folder: relative},
	} {
		got, err := parseURL(raw)
		if err != nil {
			t.Errorf("parseURL(%s) = %v", raw, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(location{})); diff != "" {
			t.Errorf("parseURL(%s) (-want +got):\n%s", raw, diff)
		}
	}
}

func TestWrongStoreURLsSayWhatIsMeantAndKeepSecrets(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                               "no scheme",
		"lake":                           "no scheme",
		"gs://acme":                      `scheme "gs" is not s3 or file`,
		"s3://":                          "use s3://bucket/prefix",
		"s3://acme:9000/x":               "endpoint= for another host",
		"s3://hunter2:hunter2@acme":      "AWS_ACCESS_KEY_ID",
		"s3://acme?regoin=x":             `unknown "regoin"; allowed are region, endpoint, path_style`,
		"s3://acme?region=x&region=y":    "region= is given twice",
		"s3://acme?path_style=hunter":    "path_style=hunter is not true or false",
		"s3://acme?endpoint=127.0.0.1:9": "endpoint= must be http://",
		"s3://acme?endpoint=http://hunter2:hunter2@h": "endpoint= must be http://",
		"s3://acme?endpoint=http://h/bucket":          "nothing more",
		"s3://acme/a//b":                              "empty segment",
		"s3://acme/../b":                              "begins with a dot",
		"s3://acme#x":                                 "# is not allowed",
		"s3://acme?%zz=hunter2":                       "key=value",
		"s3://ac me:hunter2":                          "use s3://bucket/prefix",
		"file://lake/x":                               `"lake" stands where a host would`,
		"file:lake":                                   "use file:///absolute/path",
		"file://":                                     "use file:///absolute/path",
		"file:///lake?region=x":                       `a folder has no "region"`,
	} {
		_, err := parseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseURL(%s) = %v, want %q in it", raw, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("parseURL(%s) tells a secret: %v", raw, err)
		}
	}
}
