package config

import (
	"net/netip"
	"time"

	"finoos-syncer/internal/finoos"
)

// The structs in this file are the manual of jobs.yaml, and its only
// definition: the loader reads the tags, so a field and its documentation
// cannot drift apart.
//
//	key      the key in the file; a dot means a mapping of its own
//	default  the value of a key that is left out; "" where there is none
//	need     the key must be given
//	allow    the only values, separated by |
//	min max  bounds, both included, in the unit of the key
//	form     how a text is checked beyond being text: see forms.go; beside is a file,
//	         a relative path of which starts at the folder of jobs.yaml
//	file     <key>_file may be given instead: the value is that file's content;
//	         a relative path starts at the folder of jobs.yaml
//
// Durations are written as 90s, 15m, 168h; sizes as 64KiB, 128MiB, 1GiB or as a
// number of bytes. Any value may be or hold ${NAME} or ${NAME:-default}; "$${"
// stands for a plain "${".

// Config is a whole jobs.yaml.
type Config struct {
	// FinoOS is the API that everything is pulled from.
	FinoOS FinoOS `key:"finoos" need:"true"`
	// Sink is the place that everything is written to.
	Sink Sink `key:"sink" need:"true"`
	// Jobs by name. A name is part of the keys in the bucket: renaming a job
	// starts it afresh. Two jobs cannot pull the same stream.
	Jobs map[string]*Job `key:"jobs" need:"true" form:"job"`
	// Notes are what was found beside these. They are no key.
	Notes Notes
}

// FinoOS says where the API is, who asks, and how hard it may be asked.
type FinoOS struct {
	// BaseURL is the API's address without a trailing path of its own, http or
	// https. The state in the bucket is pinned to it.
	BaseURL string `key:"base_url" need:"true" form:"base_url"`
	// ClientID names the client to the token endpoint.
	ClientID string `key:"client_id" need:"true" file:"true"`
	// ClientSecret proves it. It is never printed.
	ClientSecret finoos.Secret `key:"client_secret" need:"true" file:"true"`
	// Tenant is sent as the TenantID header; empty means the client's default
	// tenant. A mistyped one looks like a tenant without users.
	Tenant string `key:"tenant" default:""`
	// RequestsPerSecond is the ceiling: below it the rate adapts to what the
	// API takes. N shards start from an Nth of it each.
	RequestsPerSecond float64 `key:"requests_per_second" default:"20" min:"0.01" max:"10000"`
	// Paths overrides path templates of single operations, by operation name.
	Paths map[string]string `key:"paths" form:"operation_path"`
	// CAFile names a PEM file of certificates that are trusted beside the system's, as
	// of a proxy that looks into TLS.
	CAFile string `key:"ca_file" default:"" form:"beside"`
	// Timeout bounds the wait for an answer, and every silence within it.
	Timeout time.Duration `key:"timeout" default:"30s"`
	// BodyTimeout bounds an answer as a whole, however steadily it comes.
	BodyTimeout time.Duration `key:"body_timeout" default:"10m"`
	// RetryMaxElapsed is how long an API that answers nobody is waited for; what
	// fails for one user while others are answered is tried for some 15 s.
	RetryMaxElapsed time.Duration `key:"retry.max_elapsed" default:"2m"`
	// MaxResponse is the size beyond which a body counts as too large.
	MaxResponse int64 `key:"max_response" default:"256MiB" min:"64KiB"`
	// MaxScratch is what bodies that do not fit into memory take on disk, all
	// together. MaxResponse at least.
	MaxScratch int64 `key:"max_scratch" default:"1GiB" min:"64KiB"`
	// FirstPage is the number of the first page of users; auto finds it out.
	FirstPage string `key:"first_page" default:"auto" allow:"auto|0|1"`
}

// Sink says where the tables and the state go.
type Sink struct {
	// URL is s3://bucket/prefix?region=…&endpoint=…&path_style=true, or
	// file:///folder for a local one. It holds no credentials.
	URL string `key:"url" need:"true" form:"sink_url"`
	// Compression of the Parquet files: zstd, zstd:1 to zstd:22, snappy or none.
	// A level above 1 costs time for little space.
	Compression string `key:"compression" default:"zstd" form:"compression"`
	// TargetFileSize is where a file is closed and the next one begun.
	TargetFileSize int64 `key:"target_file_size" default:"128MiB" min:"1MiB" max:"16GiB"`
	// ScratchDir takes what does not fit into memory for a moment; empty means
	// the system's folder for temporary files.
	ScratchDir string `key:"scratch_dir" default:""`
	// CAFile names a PEM file of certificates that the store may have beside those that
	// the system trusts.
	CAFile string `key:"ca_file" default:"" form:"beside"`
	// SSE is the server-side encryption to ask S3 for; empty leaves it to the
	// bucket's own default.
	SSE string `key:"sse" default:"" allow:"AES256|aws:kms"`
	// KMSKeyID is the key to encrypt with. It needs an SSE of aws:kms.
	KMSKeyID string `key:"kms_key_id" default:""`
	// ExpectedBucketOwner is the AWS account that must own the bucket; empty
	// means that it is not checked.
	ExpectedBucketOwner string `key:"expected_bucket_owner" default:"" form:"account"`
}

// Stream is one kind of record that is pulled per user.
type Stream string

// The streams, in the order in which a user is pulled.
const (
	StreamUsers          Stream = "users"
	StreamBankLogins     Stream = "bank_logins"
	StreamAccounts       Stream = "accounts"
	StreamTransactions   Stream = "transactions"
	StreamCategorization Stream = "categorization"
	StreamContracts      Stream = "contracts"
	StreamAccountHistory Stream = "account_history"
)

// Streams returns all streams in the order of the constants.
func Streams() []Stream {
	return []Stream{
		StreamUsers, StreamBankLogins, StreamAccounts, StreamTransactions,
		StreamCategorization, StreamContracts, StreamAccountHistory,
	}
}

// Values of Job.Probe, Job.First, Job.IfRunning, Job.Categorization and Sync.When.
const (
	ProbeAuto    = "auto"
	ProbeEach    = "each"
	ProbeOne     = "one"
	ProbeBanking = "banking"

	FirstAuto     = "auto"
	FirstJoined   = "joined"
	FirstSeparate = "separate"

	LoginsNeed = "need"
	LoginsEach = "each"

	IfRunningSkip  = "skip"
	IfRunningQueue = "queue"

	CategorizationDiff = "diff"
	CategorizationFull = "full"

	SyncNever  = "never"
	SyncStale  = "stale"
	SyncAlways = "always"
)

// Job is one entry below jobs.
type Job struct {
	// Name is the entry's key: lower-case letters, digits, - and _.
	Name string
	// Schedule is a cron expression of five fields or a descriptor such as
	// @daily; empty means that the job runs only when it is called. An hour that
	// the zone skips comes an hour later, one that comes twice counts once.
	Schedule string `key:"schedule" default:"" form:"cron"`
	// Timezone is what Schedule is read in, by IANA name.
	Timezone *time.Location `key:"timezone" default:"UTC"`
	// Streams to pull; left out means all of them.
	Streams []Stream `key:"streams" allow:"users|bank_logins|accounts|transactions|categorization|contracts|account_history"`
	// Concurrency is how many users are worked on at once.
	Concurrency int `key:"concurrency" default:"16" min:"1" max:"1024"`
	// Probe is each: every service's correlation is asked for; one: that of the
	// service that finishes last, and where it has not moved, no other (all of them
	// once in two weeks, and of users to whom something is owed); auto: each, until
	// the services of the users are known to show one analysis, then one; or banking:
	// where that one has not moved, the others are not asked (all of them once a week).
	Probe string `key:"probe" default:"auto" allow:"auto|each|one|banking"`
	// BankLogins is need: bank logins are read of users whose banking has moved, whose
	// bank is to be asked for fresh data, and once a week; or each: in every run.
	BankLogins string `key:"bank_logins" default:"need" allow:"need|each"`
	// Categorization is diff: changes as the API tells them, or full: a changed
	// user is read in full and compared here.
	Categorization string `key:"categorization" default:"diff" allow:"diff|full"`
	// First is how accounts, transactions and tags are read that are due in full,
	// where their services show one analysis. joined: by one request, as soon as the
	// first twenty users of the run have shown that it holds what the three endpoints
	// hold; auto: the same where it pays, which takes 60 such pulls, and not for a week
	// after it has differed; separate: from their endpoints.
	First string `key:"first" default:"auto" allow:"auto|joined|separate"`
	// CheckpointEvery is the time between two commits of a run.
	CheckpointEvery time.Duration `key:"checkpoint_every" default:"10m"`
	// FullRefreshEvery is how long a change may stay out of the lake that neither
	// a diff nor a window shows: once in it a changed stream is read in full, and
	// one that no longer changes where its last pull was not; users are spread.
	FullRefreshEvery time.Duration `key:"full_refresh_every" default:"168h"`
	// Deadline ends a run after its last commit; left out means no deadline.
	Deadline time.Duration `key:"deadline" default:""`
	// LeaseWait is how long to wait for another run of the job to end.
	LeaseWait time.Duration `key:"lease_wait" default:"90s"`
	// ListTimeout bounds the time in which the list of users brings nobody new.
	ListTimeout time.Duration `key:"list_timeout" default:"10m"`
	// IfRunning says what `syncer serve` does when a scheduled time comes while the
	// job is at work: skip it, or queue it until that run has ended. One waits, not
	// more.
	IfRunning string `key:"if_running" default:"skip" allow:"skip|queue"`
	// Jitter is the most by which `syncer serve` starts the job later than
	// scheduled, by chance and never beyond the next scheduled time; left out means
	// not at all.
	Jitter time.Duration `key:"jitter" default:""`
	// CatchUp is how late `syncer serve` still starts a run that was missed, or
	// takes up one that a restart has stopped; only the last one, and once.
	CatchUp time.Duration `key:"catch_up" default:"1h"`
	// Overlap is how far behind the newest known booking transactions are read
	// again.
	Overlap time.Duration `key:"overlap" default:"240h"`
	// MaxInflightBytes is what all pulls together may hold in memory; a larger
	// one runs alone and spills to ScratchDir.
	MaxInflightBytes int64 `key:"max_inflight_bytes" default:"32MiB" min:"1MiB"`
	// MaxGone is the share of the known users that are declared gone as soon as
	// they are not listed and answer 404 (one may always, and as many as are new on
	// the list); more are once a run at least 12 h later misses them, too. Of a
	// backfill, more than that share (ten may always) is taken for a mistake.
	MaxGone float64 `key:"max_gone" default:"0.01" min:"0" max:"1"`
	// Mask hides values, by table (or all for every table) and column, as hmac
	// or drop: {accounts: {iban: hmac, owner: drop}}. It reaches into _extra and
	// partner; members of JSON columns are named with dots, as in
	// {contracts: {partner.contact: drop}}. An id below all is hidden wherever it
	// is referred to. A change makes the next run read in full what it concerns;
	// user_id is masked from the first run on, or never.
	Mask map[string]map[string]string `key:"mask" allow:"hmac|drop"`
	// MaskKey is the key of hmac, of at least 16 characters, and of what is
	// remembered of masked tables. Other keys make other values, so joins work as
	// far as the key is shared. Make it at random: openssl rand -hex 32.
	MaskKey finoos.Secret `key:"mask_key" default:"" file:"true"`
	// Sync is the policy of bank synchronisations.
	Sync Sync `key:"sync"`
	// Failures is what is done about users that fail.
	Failures Failures `key:"failures"`
}

// Sync says when a user's bank is asked for fresh data.
type Sync struct {
	// When is never, stale (a login is older than StaleAfter and not kept fresh
	// by finoOS itself) or always. Without UserIP and UserIPs it is never, whatever
	// is given.
	When string `key:"when" default:"stale" allow:"never|stale|always"`
	// StaleAfter is the age of a login's data that counts as stale.
	StaleAfter time.Duration `key:"stale_after" default:"20h"`
	// UserIP is sent as the User-IP header of every user. By PSD2 it is the user's
	// own address, and says that the user is present; without the user, a bank may
	// be asked four times in 24 hours (RTS Art. 36(5)).
	UserIP netip.Addr `key:"user_ip" default:""`
	// UserIPs names a CSV file that has each user's own address: user id, address.
	// It is read at the beginning of each run, and a user without an address there
	// gets no session, UserIP or not.
	UserIPs string `key:"user_ips" default:""`
	// RedirectURL is where the user goes after having been asked by the bank:
	// redirectURL of the session. It is left out where it is empty, as are the next
	// two.
	RedirectURL string `key:"redirect_url" default:"" form:"return_url"`
	// ErrorURL is where the user goes if that fails: errorURL.
	ErrorURL string `key:"error_url" default:"" form:"return_url"`
	// ExitURL is where the user goes who gives up: exitURL.
	ExitURL string `key:"exit_url" default:"" form:"return_url"`
	// SettleTimeout bounds the wait for the analysis that a session started.
	SettleTimeout time.Duration `key:"settle_timeout" default:"15m"`
	// NeedsUserRetry is when a login that needs its user is tried again.
	NeedsUserRetry time.Duration `key:"needs_user_retry" default:"168h"`
	// ExportRedirectURL writes the links of sca_required sessions to the table
	// sync_sessions. Such a link is a secret of its user.
	ExportRedirectURL bool `key:"export_redirect_url" default:"false"`
}

// Failures says how failed users are treated.
type Failures struct {
	// MaxRatio is the share of failed users up to which a run counts as done. A
	// tenth of the users may always fail, at most 10 over all shards.
	MaxRatio float64 `key:"max_ratio" default:"0.005" min:"0" max:"1"`
	// RetryAtEnd tries failed users once more when all others are done.
	RetryAtEnd bool `key:"retry_at_end" default:"true"`
	// QuarantineAfter is the number of failed runs in a row after which a user's
	// stream is tried less often.
	QuarantineAfter int `key:"quarantine_after" default:"5" min:"1" max:"1000"`
}
