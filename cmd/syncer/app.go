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
	"github.com/spf13/pflag"

	"finoos-syncer/internal/human"
	"finoos-syncer/internal/jobs/config"
)

// defaultConfig is the configuration unless --config names another.
const defaultConfig = "jobs.yaml"

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
		Args:          a.noCommand,
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
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(wrongFlag)
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", defaultConfig, "the configuration `file`")
	flags.StringVar(&a.logFormat, "log-format", formatText, "how to write logs to standard error: text or json")
	flags.StringVar(&a.logLevel, "log-level", "info", "the least `level` to log: debug, info, warn or error")
	flags.StringVar(&a.output, "output", formatText, "how to print results: text or json")
	a.addCommands(root)
	root.SetHelpCommand(helpCommand())
	strictCompletion(root)
	a.complete(root)
	return root
}

// addCommands adds the commands in groups, each in the order in which one comes to need
// them.
func (a *app) addCommands(root *cobra.Command) {
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"try", "See it at work:", []*cobra.Command{a.demoCommand(), a.sandboxCommand()}},
		{"set-up", "Set it up:", []*cobra.Command{a.initCommand(), a.checkCommand(), a.doctorCommand(), a.planCommand(), a.schemaCommand()}},
		{"run", "Run it:", []*cobra.Command{a.runCommand(), a.serveCommand(), a.backfillCommand()}},
		{"look", "Look at what it did (no credentials of the API are needed):", []*cobra.Command{a.statusCommand(), a.reportCommand(), a.verifyCommand(), a.sqlCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.AddCommand(a.versionCommand())
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
	cmd.SuggestionsMinimumDistance = max(cmd.SuggestionsMinimumDistance, 2)
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(slices.Sorted(slices.Values(near)), " or ") + "?"
	}
	return fmt.Errorf("there is no command %q%s", args[0], hint)
}

// noCommand is [noArgs] of the root: a job is named behind a command.
func (a *app) noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && config.Check(a.config, a.getenv).Config.Jobs[args[0]] != nil {
		return fmt.Errorf("there is no command %q; did you mean syncer run %[1]s?", args[0])
	}
	return noArgs(cmd, args)
}

// wrongFlag says of a flag what is wrong with it, and what was probably meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		each := func(f *pflag.Flag) { names = append(names, f.Name) }
		cmd.Flags().VisitAll(each)
		cmd.InheritedFlags().VisitAll(each)
		slices.Sort(names)
		hint := strings.Replace(human.Meant(unknown.GetSpecifiedName(), slices.Compact(names)), `"`, `"--`, 1)
		return usagef("%w%s", err, hint)
	}
	wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usagef("%w", err)
	}
	what := map[string]string{
		"int": "a whole number", "uint64": "a whole number", "float64": "a number", "duration": "a number and its unit, such as 30s or 5m", "bool": "true or false",
	}[wrong.GetFlag().Value.Type()]
	if what == "" {
		return usagef("%w", err)
	}
	return usagef("--%s is %q: write %s", wrong.GetFlag().Name, wrong.GetValue(), what)
}
