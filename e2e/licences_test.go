package e2e

import (
	commandline "flag" // flag is a type of columns here
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateLicences = commandline.Bool("licences", false, "write docs/licences.md anew")

// knownLicences are told by a sentence that stands in each, and are all fit for
// a binary that is handed on.
var knownLicences = []struct{ says, name string }{
	{"Apache License", "Apache-2.0"},
	{"Permission is hereby granted, free of charge", "MIT"},
	{"Redistribution and use in source and binary forms", "BSD"},
	{"Permission to use, copy, modify, and/or distribute this software for any", "ISC"},
}

// licenceOf reads the licence of a module in its folder.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	for _, pattern := range []string{"LICEN[CS]E*", "License*", "COPYING*", "README*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range knownLicences {
				if strings.Contains(strings.Join(strings.Fields(string(text)), " "), l.says) {
					return l.name
				}
			}
		}
	}
	return "unknown"
}

func TestTheLicencesOfAllThatIsLinkedAreListed(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Dir}}{{end}}", "./cmd/syncer")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(out)) {
		path, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || path == "finoos-syncer" {
			continue
		}
		licence := licenceOf(t, dir)
		if licence == "unknown" {
			t.Errorf("%s: no licence that is known to be fit", path)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s |", path, licence))
	}
	slices.Sort(rows)
	rows = slices.Compact(rows)
	want := "# Licences\n\nOf the modules that are linked into the binary, besides Go's own library (BSD). A test keeps the list.\n\n| module | licence |\n|---|---|\n" +
		strings.Join(rows, "\n") + "\n"
	page := filepath.Join("..", "docs", "licences.md")
	if *updateLicences {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/licences.md: -want +got:\n%s\nto write it anew: go -C e2e test -run Licences . -args -licences", diff)
	}
}
