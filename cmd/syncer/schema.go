package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/jobs/config"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of jobs.yaml, for editors",
		Long: `Prints the JSON schema of jobs.yaml. Editors that know YAML schemas complete and
explain keys with it, and mark mistakes while one types. Put it beside jobs.yaml, and
name it in its first line:

  # yaml-language-server: $schema=jobs.schema.json`,
		Example: `  syncer schema > jobs.schema.json`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := config.Schema()
			if err != nil {
				return err
			}
			if _, err := a.stdout.Write(text); err != nil {
				return fmt.Errorf("print the schema: %w", err)
			}
			return nil
		},
	}
}
