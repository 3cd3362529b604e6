package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/config"
)

// app is one call of the command: the process around it, the global flags, and
// what is made of them before a command begins.
type app struct {
	stdout, stderr io.Writer
	screen         io.Writer // stdout as it is, for what clears a terminal
	getenv         func(string) (string, bool)

	config, logFormat, logLevel, output string

	console *console
	log     *slog.Logger
	words   lastWords
	started bool // flags and arguments are right: errors from here on are no usage errors
}

// execute runs one command line and returns its exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	a.console = newConsole(a.stderr, a.getenv)
	a.screen = a.stdout
	a.stdout, a.stderr = human.Writer(a.stdout), human.Writer(a.stderr)
	a.log = slog.New(slog.DiscardHandler)
	root := a.rootCommand() //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	command, err := root.ExecuteContextC(ctx)
	a.console.clear()
	if err == nil {
		return exitOK
	}
	if _, isUsage := errors.AsType[*usageError](err); !isUsage && !a.started {
		err = &usageError{err: err}
	}
	if usage, ok := errors.AsType[*usageError](err); ok {
		usage.command = command.CommandPath()
	}
	code := exitCode(ctx, err)
	a.explain(ctx, err, code)
	return code
}

// maxError is how many characters of an error are printed: enough for a list of
// mistakes, whatever a store or an object of it has to say.
const maxError = 8000

// explain prints the error: one line, or one for each problem of a
// configuration, as compilers do. With JSON logs it is a record like the others.
func (a *app) explain(ctx context.Context, err error, code int) {
	if a.logFormat == formatJSON && a.started {
		a.log.ErrorContext(ctx, "command failed", "error", err.Error(), "exit_code", code)
		return
	}
	if ce, ok := errors.AsType[*config.Error](err); ok {
		_, _ = fmt.Fprintln(a.stderr, ce) // there is nowhere left to complain to
		return
	}
	_, _ = fmt.Fprintf(a.stderr, "syncer: %s\n", human.Indented(err.Error(), maxError))
	if usage, ok := errors.AsType[*usageError](err); ok {
		_, _ = fmt.Fprintf(a.stderr, "See '%s --help'.\n", usage.command)
	}
}

const about = `syncer brings what finoOS knows of your users into your data warehouse: every
night it pulls what changed, and leaves Parquet files in S3 or in a folder.

To see it at work, with no account and no network: syncer demo
`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "syncer",
		Short:         "finoOS to Parquet, every night, only what changed",
		Long:          about + "\n" + exitCodesHelp(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.prepare(); err != nil {
				return err
			}
			return refuseEmpty(cmd)
		},
	}
	root.Version = thisBuild().line()
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "jobs.yaml", "the configuration `file`")
	flags.StringVar(&a.logFormat, "log-format", formatText, "how to write logs to standard error: text or json")
	flags.StringVar(&a.logLevel, "log-level", "info", "the least `level` to log: debug, info, warn or error")
	flags.StringVar(&a.output, "output", formatText, "how to print results: text or json")
	root.AddCommand(
		a.backfillCommand(), a.demoCommand(), a.doctorCommand(), a.planCommand(), a.reportCommand(), a.runCommand(), a.sandboxCommand(),
		a.schemaCommand(), a.serveCommand(), a.sqlCommand(), a.statusCommand(), a.verifyCommand(), a.versionCommand(),
	)
	root.SetHelpCommand(helpCommand())
	strictCompletion(root)
	return root
}

// helpCommand is that of cobra, but for a topic that is not there: that is a
// mistake, and not help.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return &usageError{err: err}
			}
			if topic.HasSubCommands() && len(rest) > 0 {
				return &usageError{err: noArgs(topic, rest)}
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// strictCompletion lets cobra's completion command refuse a shell that it does not
// know, where it would print its help.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = noArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// The formats of --log-format and --output.
const (
	formatText = "text"
	formatJSON = "json"
)

// narrowing flags say what a command is restricted to. Given without a value, by a
// variable of a shell that is not set, they would let it do everything.
var narrowing = []string{"users", "shard", "streams", "since", "until", "name"}

func refuseEmpty(cmd *cobra.Command) error {
	for _, name := range narrowing {
		f := cmd.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if text := strings.TrimSpace(f.Value.String()); text == "" || text == "[]" {
			return usagef("--%s has no value: is it a variable that is not set? Leave the flag out to mean all", name)
		}
	}
	return nil
}

// prepare checks the global flags and makes the logger. cobra calls it when it
// has checked the command's own flags and arguments.
func (a *app) prepare() error {
	for flag, value := range map[string]string{"--log-format": a.logFormat, "--output": a.output} {
		if value != formatText && value != formatJSON {
			return usagef("%s is %q: write text or json", flag, value)
		}
	}
	log, err := newLogger(a.console, a.logFormat, a.logLevel)
	if err != nil {
		return err
	}
	a.log = log
	a.console.plain = a.console.plain || a.logFormat == formatJSON
	a.words.by(a.answerSignal)
	a.started = true
	return nil
}

// print writes a result: as JSON, or as text by the given function.
func (a *app) print(value any, text func(io.Writer) error) error {
	a.console.clear()
	if a.output != formatJSON {
		return text(a.stdout)
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return fmt.Errorf("%s takes no argument, but got %q", cmd.CommandPath(), args[0])
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(slices.Sorted(slices.Values(near)), " or ") + "?"
	}
	return fmt.Errorf("there is no command %q%s", args[0], hint)
}
