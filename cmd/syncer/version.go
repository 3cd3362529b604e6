package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set at link time (-ldflags "-X main.version=…"). Where
// they are not, the build information that Go embeds says what this is; in an
// image's build there is no repository for it to read.
var version, commit string

// build is what this binary says about itself.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "dev"
	}
	return b
}

// line is what --version says.
func (b build) line() string {
	commit := ""
	if len(b.Commit) >= 12 {
		commit = ", commit " + b.Commit[:12]
	}
	if b.Modified {
		commit += " with changes"
	}
	return fmt.Sprintf("syncer %s (%s, %s%s)", b.Version, b.Go, b.Platform, commit)
}

func (b build) text(w io.Writer) error {
	_, err := fmt.Fprintln(w, b.line())
	return err
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "What this binary is",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			return a.print(b, b.text)
		},
	}
}
