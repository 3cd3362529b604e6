package sandbox

import (
	"log/slog"
	"net/http"
	"time"
)

// Options shape a sandbox. The zero value is a hundred awkward users.
type Options struct {
	// Users is how many users there are on the first day: 100 unless set.
	// With Data it is a limit, and 0 takes every client with transactions;
	// those whose accounts live to the end come first.
	Users int
	// Seed decides everything that looks random. The same seed gives the same
	// bytes.
	Seed uint64
	// Today is the simulated day at the start: 2026-11-19 unless set, with
	// Data the end of 1998 less HoldBack days.
	Today time.Time
	// Data is a folder with the Berka tables (*.csv.gz). Its clients are
	// served instead of invented users.
	Data string
	// Past is how many days back the bookings of invented users go: 740 unless set,
	// two years and a bit, and 60 at least. Tests that need few rows set it.
	Past int
	// HoldBack is how many days of Data are kept for the nights to come: 14
	// unless set.
	HoldBack int

	// Tenant is the tenant that all users belong to: "sandbox" unless set.
	// A request that names another finds it empty, as with finoOS.
	Tenant string
	// ClientID and ClientSecret are what POST /auth accepts: both "sandbox"
	// unless set.
	ClientID, ClientSecret string
	// Scopes are what tokens grant: every scope unless set.
	Scopes []string
	// Clock judges what happens in real time: tokens, rate limit, latency,
	// running analyses. time.Now unless set.
	Clock func() time.Time

	// PageSize is the length of a page of users: 20 unless set, the only size that is
	// documented of any list.
	PageSize int
	// CategorizationPageSize is the length of a page of categorization: 500
	// unless set.
	CategorizationPageSize int
	// FirstPage is the number of the first page: 1 unless set to PageZero.
	FirstPage int

	// AnalysisDelay is how long the analysis takes that a sync session
	// starts, by Clock; services finish one after the other within it.
	AnalysisDelay time.Duration
	// AnalysingIs404 lets correlations answer 404 while an analysis runs;
	// otherwise they name the one before.
	AnalysingIs404 bool
	// UnknownCorrelation is the status that an unknown or too old
	// correlation-id is answered with: 404 unless set.
	UnknownCorrelation int
	// KeepAnalyses is how many analyses back a correlation-id still works:
	// 30 unless set.
	KeepAnalyses int
	// DiffWholeTags makes a categorization diff name all tags of a
	// transaction that got a new one, where the document promises the new
	// ones only.
	DiffWholeTags bool

	// Nightly are the odds of what a night does.
	Nightly Odds
	// Sync are the odds of what a sync session meets.
	Sync SyncOdds
	// RemoveTags also takes tags away at night. A diff does not tell, so a
	// lake fed by diffs does not reach the truth before its next full read.
	RemoveTags bool
	// OldCorrections is in how many of the first nights analyses also correct
	// the purpose of a booking from months ago, which banking/transactions
	// shows at once. A pull by windows does not look there, so a lake fed by
	// those does not reach the truth before its next full read, or a backfill.
	OldCorrections int
	// Plain serves tidy records: one spelling, no unknown fields, nothing
	// missing that a column wants.
	Plain bool
	// TagNames gives tag objects a name beside their id.
	TagNames bool

	// NoHistory keeps no list of requests, only counts.
	NoHistory bool
	// HistoryLimit bounds the list of requests, oldest dropped first: 200000
	// unless set.
	HistoryLimit int
	// CacheUsers is how many users' states are kept at hand: 32 unless set.
	CacheUsers int

	// Logger is told of unknown routes and of faults that struck; nil is silent.
	Logger *slog.Logger

	// Readings are how a real finoOS may differ, from the start to the end.
	Readings Readings

	// Faults are those in force from the start.
	Faults Faults
}

// PageZero as Options.FirstPage makes pages count from 0.
const PageZero = -1

// Odds of what a night does to a user. Zero means the default, a negative
// value never.
type Odds struct {
	Analysed float64 // a new analysis, with all that it brings: 0.19 of the users whose bank login works, so about 0.17 of all
	Gone     float64 // the user vanishes: 0.001, and one user in every second night where there are twenty or more
	Joined   float64 // new users as a share of those at the start: 0.001, and one in every second night
	Login    float64 // a login's status changes: 0.005
}

// SyncOdds are the shares of bank logins whose sync sessions never succeed,
// by reason, and of sessions whose answer is lost. Zero means the default of
// 0.01, a negative value never.
type SyncOdds struct {
	Deprecated  float64 // 409
	Credentials float64 // 422
	Blocked     float64 // 423
	SCA         float64 // 451
	Lost        float64 // synchronised, but the connection breaks before the answer
}

// fill puts defaults in place.
func (o *Options) fill() {
	if o.Data == "" {
		def(&o.Users, 100)
		def(&o.Today, time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC))
	}
	def(&o.HoldBack, 14)
	def(&o.Past, past)
	o.Past = max(o.Past, 60)
	def(&o.PageSize, 20)
	def(&o.CategorizationPageSize, 500)
	def(&o.FirstPage, 1)
	def(&o.UnknownCorrelation, http.StatusNotFound)
	def(&o.KeepAnalyses, 30)
	def(&o.HistoryLimit, 200_000)
	def(&o.CacheUsers, 32)
	def(&o.Tenant, "sandbox")
	def(&o.ClientID, "sandbox")
	def(&o.ClientSecret, "sandbox")
	def(&o.Nightly.Analysed, 0.19)
	def(&o.Nightly.Gone, 0.001)
	def(&o.Nightly.Joined, 0.001)
	def(&o.Nightly.Login, 0.005)
	for _, p := range []*float64{&o.Sync.Deprecated, &o.Sync.Credentials, &o.Sync.Blocked, &o.Sync.SCA, &o.Sync.Lost} {
		def(p, 0.01)
	}
	if o.Scopes == nil {
		o.Scopes = allScopes
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func def[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Activity is what the last Night did to a user. The zero value means that
// every answer about the user is byte for byte what it was.
type Activity struct {
	Analysed bool // a new correlation
	Login    bool // a login's status changed
	Joined   bool // the user is new
	Gone     bool // the user has vanished
}
