package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/table"
)

// demoMarker is the file by which the demo knows a lake of its own, demoConfigFile the
// jobs.yaml by which other commands find it.
const (
	demoMarker     = "syncer-demo.txt"
	demoConfigFile = "syncer-demo.yaml"
)

const demoMarkerText = "This lake was written by `syncer demo`. The next demo replaces what this one wrote.\n"

// prepareDemoLake makes dir ready for a new demo. Of what is there, it deletes
// only what the commit log says that a demo wrote, and the demo's own state. config is
// the text of its jobs.yaml.
func prepareDemoLake(ctx context.Context, dir string, force bool, config string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return usagef("make --dir: %w", err)
	}
	lake, err := os.OpenRoot(dir)
	if err != nil {
		return usagef("open --dir: %w", err)
	}
	defer lake.Close() //nolint:errcheck // a folder that was only looked at
	entries, err := fs.ReadDir(lake.FS(), ".")
	if err != nil {
		return usagef("read --dir: %w", err)
	}
	_, noMarker := lake.Stat(demoMarker)
	switch {
	case len(entries) == 0:
	case noMarker == nil:
		if err := removeDemo(ctx, dir, lake); err != nil {
			return fmt.Errorf("replace the demo in %s: %w", dir, err)
		}
	case looksLikeLake(entries):
		return usagef("%s holds a lake that no demo wrote: choose another folder with --dir", dir)
	case !force:
		return usagef("%s is not empty, and no demo wrote it: choose another folder with --dir, or --force to write beside what is there", dir)
	}
	if _, there := lake.Stat(demoConfigFile); noMarker != nil && there == nil {
		return usagef("%s holds a %s that no demo wrote: choose another folder with --dir", dir, demoConfigFile)
	}
	for name, text := range map[string]string{demoMarker: demoMarkerText, demoConfigFile: config} {
		if err := lake.WriteFile(name, []byte(text), 0o600); err != nil {
			return usagef("write to --dir: %w", err)
		}
	}
	return nil
}

// looksLikeLake tells a folder with tables or state from one with other files:
// the demo would mix its rows with somebody's data there.
func looksLikeLake(entries []fs.DirEntry) bool {
	state, _, _ := strings.Cut(sink.PendingPrefix(demoJob), "/")
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == state || table.ByName(e.Name()) != nil
	})
}

// removeDemo deletes the files that the demo's commits name, then its state,
// then the folders that this leaves empty. All of it happens through lake, so
// that no link leads out of the folder.
func removeDemo(ctx context.Context, dir string, lake *os.Root) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	store, err := bucket.Open(ctx, (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String(), bucket.Options{Pending: sink.PendingPrefix(demoJob), MostBytes: sink.MostBytes})
	if err != nil {
		return err
	}
	folders := map[string]bool{}
	for record, err := range sink.ReadLog(ctx, store, demoJob, 0) {
		if err != nil {
			return fmt.Errorf("read what it wrote: %w", err)
		}
		for _, f := range record.Files {
			if err := lake.Remove(filepath.FromSlash(f.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			folders[path.Dir(f.Path)] = true
		}
	}
	state := path.Dir(sink.PendingPrefix(demoJob))
	if err := lake.RemoveAll(filepath.FromSlash(state)); err != nil {
		return err
	}
	folders[path.Dir(state)] = true
	for folder := range folders {
		for ; folder != "."; folder = path.Dir(folder) {
			_ = lake.Remove(filepath.FromSlash(folder)) // fails where it is not empty, as it should
		}
	}
	return nil
}
