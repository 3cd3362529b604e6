package k8s

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The overlay that docs/operators.md shows is built, from here instead of from a
// repository.
func TestTheOverlayOfTheDocsIsWhatItSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "# kustomization.yaml\n")
	text, _, _ = strings.Cut(text, "```")
	fs := filesys.MakeFsOnDisk()
	dir := overlay(t, fs, "nightly", []string{"irsa"})
	local, err := fs.ReadFile(dir + "/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, up, _ := strings.Cut(string(local), "resources: [")
	up, _, _ = strings.Cut(up, "/nightly")
	text = strings.NewReplacer("https://github.com/acme/syncer//k8s", up, "?ref=v0.1.0", "", `newTag: "0.1.0"`, `newTag: "0.2.0"`).Replace(text)
	if err := fs.WriteFile(dir+"/kustomization.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	all, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"image: ghcr.io/acme/syncer:0.2.0\n", "eks.amazonaws.com/role-arn", "kind: CronJob"} {
		if !strings.Contains(string(all), want) {
			t.Errorf("no %s in\n%s", want, all)
		}
	}
}
