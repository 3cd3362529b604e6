package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/table"
	"finoos-syncer/internal/sink/warehouse"

	"github.com/spf13/cobra"
)

func (a *app) sqlCommand() *cobra.Command {
	var o warehouse.Options
	cmd := &cobra.Command{
		Use:   "sql --dialect DIALECT",
		Short: "Print the SQL that lets a warehouse read the lake",
		Long: `Prints the SQL with which a warehouse reads the lake: its tables (external tables,
views over the files, or tables and the statements that load them), and views over
those:

  current_<table>   the current state, one row per key
  history_<table>   every state that there was, with valid_from and valid_to
  freshness         per stream, when something last came: oldest, newest, p50, p95

The dialects are ` + strings.Join(warehouse.Dialects(), ", ") + `. Nothing is
connected to: read what is printed, and run it.

Where the lake is stands in jobs.yaml (sink.url), or is given by --location, which
needs no jobs.yaml.`,
		Example: `  syncer sql --dialect duckdb --location lake | duckdb lake.duckdb
  syncer sql --dialect athena --schema finoos
  syncer sql --dialect snowflake --location s3://acme-lake/finoos --tables contracts,accounts`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.sql(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Dialect, "dialect", "", "one of "+strings.Join(warehouse.Dialects(), ", "))
	flags.StringVar(&o.Location, "location", "", "where the lake is: s3://bucket/prefix, gs://bucket/prefix or a `folder`; sink.url of jobs.yaml if left out")
	flags.StringVar(&o.Schema, "schema", "", "the schema (database, data set) to make everything in; finoos if left out, and none in duckdb")
	flags.StringSliceVar(&o.Tables, "tables", nil, "these `tables` only, and those that the views need")
	return cmd
}

// sql prints the script. Whatever is wrong with it is wrong with the flags.
func (a *app) sql(ctx context.Context, o warehouse.Options) error {
	if o.Dialect == "" {
		return usagef("which dialect? Give --dialect, one of %s", strings.Join(warehouse.Dialects(), ", "))
	}
	given := o.Location != ""
	if !given {
		if _, err := os.Stat(a.config); err != nil {
			return usagef("where is the lake? Give --location, or --config: %s cannot be read", a.config)
		}
		cfg, err := config.LoadToRead(a.config, a.getenv)
		if err != nil {
			return err
		}
		o.Location = cfg.Sink.URL
	}
	o.Location = fromAnywhere(o.Location)
	if _, err := os.Stat(filepath.FromSlash(o.Location)); given && !strings.Contains(o.Location, "://") && errors.Is(err, fs.ErrNotExist) {
		return usagef("--location: there is no folder %s", o.Location)
	}
	if o.Empty = emptyTables(o.Location); len(o.Empty) == len(table.Tables()) {
		a.log.WarnContext(ctx, "there is no file of any table: is it the right folder?", "folder", o.Location)
	}
	script := new(strings.Builder)
	if err := warehouse.Write(script, o); err != nil {
		return usagef("%w", err)
	}
	if _, err := fmt.Fprint(a.stdout, script); err != nil {
		return fmt.Errorf("print the script: %w", err)
	}
	return nil
}

// fromAnywhere is the location of a lake as views can hold it: who asks them may stand in
// another folder than who has printed them.
func fromAnywhere(location string) string {
	dir, isURL := location, strings.Contains(location, "://")
	if u, err := url.Parse(location); isURL && (err != nil || u.Scheme != "file" || u.User != nil) {
		return location
	} else if isURL {
		dir = u.Host + u.Path
	}
	abs, err := filepath.Abs(filepath.FromSlash(dir))
	if err != nil || dir == "" {
		return location
	}
	return filepath.ToSlash(abs)
}

// emptyTables are the tables of a local lake that have no file yet. Of a lake
// elsewhere nothing is known: there are none.
func emptyTables(location string) []string {
	dir := location
	if u, err := url.Parse(location); err == nil && u.Scheme != "" {
		if u.Scheme != "file" {
			return nil
		}
		dir = u.Host + u.Path
	}
	var empty []string
	for _, t := range table.Tables() {
		if !hasParquet(filepath.Join(filepath.FromSlash(dir), t.Name)) {
			empty = append(empty, t.Name)
		}
	}
	return empty
}

// errFound ends a walk.
var errFound = errors.New("found")

// hasParquet says whether there is a Parquet file anywhere below a folder.
func hasParquet(dir string) bool {
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") {
			return errFound
		}
		return nil // what cannot be read is not there for DuckDB either
	})
	return errors.Is(err, errFound)
}
