package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// document reads one of the repository's documents.
func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documents are those that print commands and configuration.
func documents() []string {
	return []string{"README.md", "CONTRIBUTING.md", "docs/design.md", "docs/operators.md", "docs/warehouse.md"}
}

// The smallest jobs.yaml is what README.md prints, and every other piece of one
// that a document prints is right beside it.
func TestEveryJobsYAMLOfTheDocsLoads(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	first := blocks.FindStringSubmatch(document(t, "README.md"))
	if first == nil || strings.Count(first[1], "\n") > 10 {
		t.Fatalf("README.md prints no jobs.yaml of ten lines: %q", first)
	}
	rest, _, _ := strings.Cut(first[1], "jobs:\n")
	env := map[string]string{"FINOOS_CLIENT_ID": "id", "FINOOS_CLIENT_SECRET": "secret", "SYNCER_MASK_KEY": "sixteen letters, or more"}
	pieces := 0
	for _, path := range documents() {
		for _, block := range blocks.FindAllStringSubmatch(document(t, path), -1) {
			text := block[1]
			if strings.HasPrefix(text, "# kustomization.yaml\n") {
				continue // built in k8s
			}
			if strings.HasPrefix(text, "jobs:\n") {
				text = rest + text
			}
			pieces++
			file := filepath.Join(t.TempDir(), "jobs.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if code := newTestApp(&out, env).execute(t.Context(), []string{"sql", "--dialect", "duckdb", "--config", file}); code != 0 {
				t.Errorf("%s prints a jobs.yaml that does not load: exit code %d\n%s\n%s", path, code, text, &out)
			}
		}
	}
	if pieces < 2 {
		t.Errorf("%d pieces of a jobs.yaml: there are more in the documents", pieces)
	}
}

func TestTheTableOfCommandsHasAllOfThem(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(document(t, "README.md"), "\n## Commands\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var listed, known []string
	for _, row := range regexp.MustCompile("(?m)^\\| `syncer ([a-z]+)").FindAllStringSubmatch(section, -1) {
		listed = append(listed, row[1])
	}
	for _, c := range newTestApp(&bytes.Buffer{}, nil).rootCommand().Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			known = append(known, c.Name())
		}
	}
	slices.Sort(listed)
	slices.Sort(known)
	if diff := cmp.Diff(known, listed); diff != "" {
		t.Errorf("README.md lists (-known +listed):\n%s", diff)
	}
}

// printedCommand is a command line, in a block of its own or between backticks.
var printedCommand = regexp.MustCompile("(?m)(?:^ {4,}|`)(?:bin/)?syncer ((?:[^`#|\n]|\n[a-zA-Z-])*)")

// Flags are looked up in the command that the document gives them to.
func TestEveryCommandThatTheDocsPrintIsOne(t *testing.T) {
	t.Parallel()
	root := newTestApp(&bytes.Buffer{}, nil).rootCommand()
	printed := 0
	for _, path := range documents() {
		for _, line := range printedCommand.FindAllStringSubmatch(document(t, path), -1) {
			words := strings.Fields(line[1])
			command, _, err := root.Find(words)
			if err != nil || command == root && !strings.HasPrefix(words[0], "-") {
				t.Errorf("%s prints syncer %s: %v", path, strings.Join(words, " "), err)
				continue
			}
			printed++
			for _, word := range words {
				if name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "="); strings.HasPrefix(word, "--") && !hasFlag(command, name) {
					t.Errorf("%s prints syncer %s: there is no --%s", path, strings.Join(words, " "), name)
				}
			}
		}
	}
	if printed < 40 {
		t.Errorf("found %d commands: there are more in the documents", printed)
	}
}

func hasFlag(c *cobra.Command, name string) bool {
	return c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil
}
