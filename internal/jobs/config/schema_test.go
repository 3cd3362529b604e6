package config

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/jobs.schema.json anew")

func TestTheSchemaInDocsIsTheOneThatIsPrinted(t *testing.T) {
	t.Parallel()
	const path = "../../../docs/jobs.schema.json"
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("syncer schema > docs/jobs.schema.json (-docs +now):\n%s", diff)
	}
}

func TestTheShippedConfigurationNamesTheSchema(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../../../jobs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(shipped), "\n"); first != "# yaml-language-server: $schema=docs/jobs.schema.json" {
		t.Errorf("jobs.yaml begins with %q: editors find no schema", first)
	}
}

func TestTheManualSaysSomethingOfEveryKeyInTheWordsOfTheFile(t *testing.T) {
	t.Parallel()
	docs, err := manualOf(structs)
	if err != nil {
		t.Fatal(err)
	}
	var look func(prefix string, specs []*spec)
	look = func(prefix string, specs []*spec) {
		for _, s := range specs {
			if text := docs[s.field]; text == "" && s.field != "" {
				t.Errorf("nothing is said of %s%s", prefix, s.key)
			}
			look(prefix+s.key+".", s.children)
		}
	}
	look("", configSpec)
	look("jobs.", jobSpec)
	want := "sse is the server-side encryption to ask S3 for; empty leaves it to the bucket's own default."
	if got := docs["Sink.SSE"]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
