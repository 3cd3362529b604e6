package jobs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The picture is what a newcomer reads first: a file that it does not show is in
// no step, and one that it shows and is not there leads nowhere.
func TestThePictureShowsTheFilesThatAreThere(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`\b[a-z][a-z_]*\.go\b`).FindAllString(string(doc), -1)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	there := slices.DeleteFunc(files, func(name string) bool { return name == "doc.go" || strings.HasSuffix(name, "_test.go") })
	for _, name := range there {
		if !slices.Contains(shown, name) {
			t.Errorf("%s is in no step of the picture", name)
		}
	}
	for _, name := range shown {
		if !slices.Contains(there, name) {
			t.Errorf("the picture shows %s, which is not there", name)
		}
	}
	rooms := regexp.MustCompile(`(?m)^//\tjobs/([a-z]+) `).FindAllStringSubmatch(string(doc), -1)
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		named := slices.ContainsFunc(rooms, func(room []string) bool { return room[1] == f.Name() })
		if shownBeside := strings.Contains(string(doc), "jobs/"+f.Name()+" "); f.IsDir() && f.Name() != "testdata" && !named && !shownBeside {
			t.Errorf("the room jobs/%s is not shown", f.Name())
		}
	}
}
