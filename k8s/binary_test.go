package k8s

import (
	"context"
	"debug/elf"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile returns the instructions of the Dockerfile.
func dockerfile(t *testing.T) []*parser.Node {
	t.Helper()
	f, err := os.Open("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	parsed, err := parser.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed.Warnings) > 0 {
		t.Errorf("warnings: %+v", parsed.Warnings)
	}
	return parsed.AST.Children
}

func args(n *parser.Node) (list []string) {
	for at := n.Next; at != nil; at = at.Next {
		list = append(list, at.Value)
	}
	return list
}

// commit stands for the one that an image is made from.
const commit = "0123456789abcdef0123456789abcdef01234567"

// built is the binary as the Dockerfile's build stage makes it for this machine,
// or for an architecture: what that copies is copied, what it runs is run, in an
// empty folder.
func built(t *testing.T, arch ...string) string {
	t.Helper()
	src, out := t.TempDir(), t.TempDir()
	command := ""
	for _, n := range dockerfile(t) {
		switch strings.ToUpper(n.Value) {
		case "COPY":
			if len(n.Flags) > 0 { // from the build stage
				continue
			}
			list := args(n)
			for _, what := range list[:len(list)-1] {
				copyTo(t, filepath.Join("..", what), filepath.Join(src, what))
			}
		case "RUN":
			command = strings.Join(args(n), " ")
		}
	}
	if !strings.Contains(command, "go build") {
		t.Fatalf("the last RUN is %q", command)
	}
	command = strings.ReplaceAll(command, "/out/", out+"/")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "sh", "-ec", command)
	build.Dir = src
	build.Env = append(os.Environ(), "VERSION=1.2.3", "REVISION="+commit, "TARGETOS=", "TARGETARCH=")
	if len(arch) > 0 {
		build.Env = append(build.Env, "TARGETOS=linux", "TARGETARCH="+arch[0])
	}
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, text)
	}
	return filepath.Join(out, "syncer")
}

// copyTo copies what .dockerignore lets through.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case e.Name() == "testdata":
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case strings.HasSuffix(path, "_test.go"):
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), body, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheImageIsSmallAndRunsAsNobody(t *testing.T) {
	t.Parallel()
	var stages, user, entry []string
	for _, n := range dockerfile(t) {
		switch strings.ToUpper(n.Value) {
		case "FROM":
			stages = append(stages, args(n)[0])
		case "USER":
			user = args(n)
		case "ENTRYPOINT":
			entry = args(n)
		}
	}
	if len(stages) != 2 || !strings.Contains(stages[1], "distroless/static") || !strings.Contains(stages[1], "nonroot") {
		t.Errorf("stages %q", stages)
	}
	if strings.Join(user, "") != "65532:65532" || strings.Join(entry, "") != "/usr/local/bin/syncer" {
		t.Errorf("user %q, entry point %q", user, entry)
	}
	binary := built(t)
	small(t, binary)
	for _, ask := range []string{"version", "--version"} {
		said, err := exec.CommandContext(t.Context(), binary, ask).Output()
		if err != nil || !strings.HasPrefix(string(said), "syncer 1.2.3 (go") || !strings.HasSuffix(string(said), ", commit "+commit[:12]+")\n") {
			t.Errorf("%s: %q, %v", ask, said, err)
		}
	}
	t.Run("exit codes", func(t *testing.T) { t.Parallel(); exitCodes(t, binary) })
	t.Run("the same bytes again", func(t *testing.T) {
		t.Parallel()
		first, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(built(t))
		if err != nil || string(first) != string(second) {
			t.Errorf("two builds differ (%v)", err)
		}
	})
}

func small(t *testing.T, binary string) {
	t.Helper()
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	const base = 3 << 20 // of the final stage
	if size := info.Size() + base; size > 40<<20 {
		t.Errorf("the image has %d bytes, more than 40 MiB", size)
	}
}

var release = flag.Bool("release", false, "build for every platform, which takes minutes")

func TestTheImageIsForTheProcessorsOfServers(t *testing.T) {
	t.Parallel()
	if !*release {
		t.Skip("takes minutes: make release-check")
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		binary := built(t, arch)
		small(t, binary)
		f, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		if f.Machine != machine || f.Type != elf.ET_EXEC || f.Section(".interp") != nil || len(libraries) > 0 {
			t.Errorf("%s: for %v, %v, needs %q (%v): want a static binary", arch, f.Machine, f.Type, libraries, err)
		}
		_ = f.Close() // nothing was written
	}
}

// exitCodes runs the binary so that it ends with codes of which the manifests
// speak: a wrong configuration, refused credentials, an API that is down.
func exitCodes(t *testing.T, binary string) {
	t.Helper()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refusing.Close()
	policy := actions(jobOf(t, render(t, "nightly")))
	for name, tt := range map[string]struct {
		config string
		want   int
		action string
	}{
		"an unknown key": {"finoos: {url: x}", 8, "FailJob"},
		"refused credentials": {
			"finoos: {base_url: '" + refusing.URL + "', client_id: a, client_secret: b}\nsink: {url: 'file://./lake'}\njobs: {nightly: }", 4, "FailJob",
		},
		"an API that nobody answers for": {
			"finoos: {base_url: 'http://127.0.0.1:1', client_id: a, client_secret: b, retry: {max_elapsed: 1s}}\nsink: {url: 'file://./lake'}\njobs: {nightly: }", 6, "",
		},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "jobs.yaml"), []byte(tt.config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, "run", "nightly")
		cmd.Dir = dir
		text, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != tt.want {
			t.Errorf("%s: %v, want %d\n%s", name, err, tt.want, text)
		}
		if got := string(policy[int32(tt.want)]); got != tt.action {
			t.Errorf("%s: exit code %d is %q to the cluster, want %q", name, tt.want, got, tt.action)
		}
	}
}
