package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"finoos-syncer/internal/finoos/sandbox"
)

// sandboxFlags are the flags of `syncer sandbox`.
type sandboxFlags struct {
	addr       string
	users      int
	seed       uint64
	rateLimit  float64
	faults     string
	readings   string
	data       string
	today      string
	nightEvery time.Duration
}

func (a *app) sandboxCommand() *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a simulated finoOS on a port",
		Long: `Serves the finoOS API with seeded, believable bank data: the same seed gives the same
bank. Point a jobs.yaml at it to try a configuration without an account.

Its day does not pass by itself: POST /sandbox/night lets one pass, and so does
--night-every. Nothing is kept when it ends.

It behaves as documented, unless --faults says otherwise: settings with commas
between them.

  rate_limit=20 burst=4 retry_after=seconds|date|none   429 beyond that
  latency=50ms error_rate=0.01 reset_rate=0.01 truncate_rate=0.01 down
  revoked refuse_reads token_early=4m                   credentials, tokens
  zero_pages no_context end=empty|204|404|repeat shift=insert|remove|shuffle

Faults of single users are kind=operation:user:after, where user is a number or an
id, the operation may be left out (all of them) and so may the number of requests
that go well before: malformed=contracts:3, never_analysed=5, deleted=6:10. Kinds:
malformed forbidden not_found server_error reset truncated never_analysed deleted,
and for synchronize each outcome of a sync session.

Where the document leaves open what finoOS does, --reading chooses: settings
name=value with commas between them; "list" prints all of them, with what each
imitates, and ends. --reading mix:N is a mixture that the number N decides.`,
		Example: `  syncer sandbox --users 200
  syncer sandbox --rate-limit 20 --night-every 1m
  syncer sandbox --faults error_rate=0.01,malformed=contracts:3
  syncer sandbox --reading page_size=20,token=cursor,outage=html,outage_of=services`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.readings == "list" {
				return listReadings(a.stdout)
			}
			return a.serveSandbox(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8080", "the `address` to listen on")
	flags.IntVar(&f.users, "users", 100, "how many users there are")
	flags.Uint64Var(&f.seed, "seed", 1, "what everything random is made from")
	flags.Float64Var(&f.rateLimit, "rate-limit", 0, "requests a second that are served; 0 for no limit")
	flags.StringVar(&f.faults, "faults", "", "how it misbehaves: `settings` as above")
	flags.StringVar(&f.readings, "reading", "", "how it reads the document: `settings`, or list")
	flags.StringVar(&f.data, "data", "", "serve the Berka accounts in this `folder` instead of invented ones")
	flags.StringVar(&f.today, "today", "", "the simulated `day` at the start, as 2026-11-19; the real one unless given")
	flags.DurationVar(&f.nightEvery, "night-every", 0, "let a night pass this often")
	return cmd
}

func (f sandboxFlags) open(now time.Time) (*sandbox.Sandbox, error) {
	faults, err := sandbox.ParseFaults(f.faults)
	if err != nil {
		return nil, usagef("%s", strings.ReplaceAll("--faults: "+err.Error(), "\n", "; "))
	}
	readings, err := f.read()
	if err != nil {
		return nil, usagef("%s", strings.ReplaceAll("--reading: "+err.Error(), "\n", "; "))
	}
	if f.rateLimit > 0 {
		faults.RateLimit = f.rateLimit
	}
	o := sandbox.Options{Users: f.users, Seed: f.seed, Data: f.data, Faults: faults, Readings: readings, NoHistory: true}
	switch {
	case f.users < 1 || f.rateLimit < 0 || f.nightEvery < 0:
		return nil, usagef("--users is at least 1, --rate-limit and --night-every are not negative")
	case f.today != "":
		if o.Today, err = time.Parse(time.DateOnly, f.today); err != nil {
			return nil, usagef("--today is %q: write a day as 2026-11-19", f.today)
		}
	case f.data == "":
		o.Today = now.UTC().Truncate(24 * time.Hour)
	}
	s, err := sandbox.New(o)
	if err != nil {
		return nil, usagef("open the sandbox: %w", err)
	}
	return s, nil
}

// mixShare is how many of the readings a mixture changes.
const mixShare = 0.15

func (f sandboxFlags) read() (sandbox.Readings, error) {
	number, mixed := strings.CutPrefix(f.readings, "mix:")
	if !mixed {
		return sandbox.ParseReadings(f.readings)
	}
	seed, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return sandbox.Readings{}, fmt.Errorf("%q is no number: write mix:7", number)
	}
	return sandbox.MixReadings(seed, mixShare), nil
}

// listReadings prints what --reading can be set to.
func listReadings(w io.Writer) error {
	var p printout
	for _, r := range sandbox.AllReadings() {
		p.printf("%s=%s\n    %s\n", r.Name, strings.Join(r.Values, "|"), r.Why)
		if r.With != "" {
			p.printf("    shows beside %s\n", r.With)
		}
	}
	return p.writeTo(w)
}

// serveSandbox serves until the context ends, which is how it is meant to end.
func (a *app) serveSandbox(ctx context.Context, f sandboxFlags) error {
	s, err := f.open(time.Now())
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return usagef("--addr %s: %w", f.addr, err)
	}
	server := newServer(a.sandboxHandler(s), time.Hour) // bodies may be slow on purpose
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(bounded(listener)) }()
	if err := sandboxWelcome(a.stdout, "http://"+listener.Addr().String(), s.Now(), f); err != nil {
		return err
	}
	nights := time.NewTicker(max(f.nightEvery, time.Nanosecond))
	defer nights.Stop()
	if f.nightEvery == 0 {
		nights.Stop()
	}
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("serve on %s: %w", f.addr, err)
		case <-nights.C:
			a.night(ctx, s)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if err := server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
				return server.Close()
			}
			return nil
		}
	}
}

// sandboxHandler adds the control route to the API. It is the command's, not the
// simulator's: finoOS has no such path.
func (a *app) sandboxHandler(s *sandbox.Sandbox) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("POST /sandbox/night", func(w http.ResponseWriter, r *http.Request) {
		a.night(r.Context(), s)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"now": s.Now().Format(time.RFC3339)}) // the asker may be gone
	})
	return mux
}

func (a *app) night(ctx context.Context, s *sandbox.Sandbox) {
	s.Night()
	a.log.InfoContext(ctx, "a night has passed", "day", s.Now().Format(time.DateOnly))
}

// sandboxWelcome says how to use the sandbox.
func sandboxWelcome(w io.Writer, address string, now time.Time, f sandboxFlags) error {
	var p printout
	who := count(int64(f.users)) + " users"
	if f.data != "" {
		who = "the accounts in " + f.data
	}
	p.printf("A finoOS with %s, on %s\n", who, address)
	if r, err := f.read(); err == nil && r != (sandbox.Readings{}) {
		p.printf("It reads the document so: %s\n", r)
	}
	p.printf("It is %s there. A night passes with: curl -X POST %s/sandbox/night\n\n", now.Format("Monday, 2 January 2006"), address)
	p.printf("To pull from it with the jobs.yaml that comes with syncer, or that syncer init writes:\n\n")
	p.printf("  export FINOOS_BASE_URL=%s FINOOS_CLIENT_ID=sandbox FINOOS_CLIENT_SECRET=sandbox\n", address)
	p.printf("  export SYNCER_SINK=file://./sandbox-lake\n")
	p.printf("  %s run nightly\n\n", commandName())
	p.printf("In a jobs.yaml of your own: base_url: %s, client_id: sandbox, client_secret: sandbox\n", address)
	return p.writeTo(w)
}
