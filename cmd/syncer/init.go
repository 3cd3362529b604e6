package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// firstConfig is the jobs.yaml to begin with.
const firstConfig = `# What syncer pulls, when, and into what. These are the keys that are needed, and a
# schedule; "syncer schema" has all keys, with what they mean.
#
# ${NAME} is the value of an environment variable, ${NAME:-default} with something in
# its place where it is not set. Secrets stay out of this file.

finoos:
  # The test system; https://os.fino.cloud/api is production. The variables here and below
  # sink let "syncer sandbox" stand in for both.
  base_url: ${FINOOS_BASE_URL:-https://os.test.fino.cloud/api}
  client_id: ${FINOOS_CLIENT_ID}
  client_secret: ${FINOOS_CLIENT_SECRET}        # or client_secret_file: /run/secrets/finoos
  # tenant: ""                                  # not given: the client's default tenant

sink:
  # A folder; later s3://bucket/prefix?region=eu-central-1.
  url: ${SYNCER_SINK:-file://./lake}

jobs:
  nightly:                                      # a name of yours
    schedule: "30 2 * * *"                      # for "syncer serve"; cron and Kubernetes have their own
    timezone: Europe/Berlin
    # sync:
    #   user_ips: user-ips.csv                  # user id, address: whose banks are asked for fresh data
    # mask: {accounts: {iban: hmac, owner: drop}}
    # mask_key: ${SYNCER_MASK_KEY}              # openssl rand -hex 32
`

func (a *app) initCommand() *cobra.Command {
	var toStdout bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a minimal jobs.yaml to begin with",
		Long: `Writes a minimal jobs.yaml with comments, to the file that --config names, and says
what to do next. A file that is there already is left alone.`,
		Example: `  syncer init
  syncer init --print`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if toStdout {
				_, err := io.WriteString(a.stdout, firstConfig)
				return err
			}
			return a.init()
		},
	}
	cmd.Flags().BoolVar(&toStdout, "print", false, "print it, and write nothing")
	return cmd
}

// init writes the file, unless there is one.
func (a *app) init() error {
	f, err := os.OpenFile(a.config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already, and was left alone: name another file with --config, or see what would be written with --print", a.config)
	}
	if err != nil {
		return usagef("%w", err)
	}
	if _, err := f.WriteString(firstConfig); err != nil {
		_ = f.Close() // the first error says more
		return fmt.Errorf("write %s: %w", a.config, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", a.config, err)
	}
	return a.print(map[string]string{"file": a.config}, func(w io.Writer) error { return a.nextSteps().writeTo(w) })
}

// nextSteps is the way from a jobs.yaml to a first run.
func (a *app) nextSteps() *printout {
	p, syncer, config := new(printout), commandName(), ""
	if a.config != defaultConfig {
		config = " --config " + quotedForShell(a.config)
	}
	p.printf("%s is written. Next, set who asks, and look whether all is there:\n\n", a.config)
	p.printf("  export FINOOS_CLIENT_ID=… FINOOS_CLIENT_SECRET=…\n")
	for _, step := range []struct{ command, does string }{
		{"check", "Whether the file is right; needs no secrets."},
		{"doctor", "Whether credentials, API and sink are: one line each, ok or what to do."},
		{"plan nightly", "What a first run costs; changes nothing."},
		{"run nightly", "The first run reads everything, later ones what changed."},
	} {
		p.printf("\n%s\n\n  %s %s%s\n", step.does, syncer, step.command, config)
	}
	p.printf("\nWithout an account: %s sandbox, and set what it prints.\n", syncer)
	return p
}
