package pull

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// record is one that a bank answers with.
type record = map[string]any

// desk is an API of one user: what it answers is the test's.
type desk struct {
	answer func(path string, query url.Values) (status int, body any)
	asked  []string // paths with their queries, without those for a token
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := http.StatusOK, any(record{"access_token": "t", "expires_in": 300, "token_type": "Bearer"})
	if path, ok := strings.CutPrefix(r.URL.Path, "/users/u"); ok {
		d.asked = append(d.asked, strings.TrimPrefix(path+"?"+r.URL.RawQuery, "/"))
		status, body = d.answer(strings.Trim(path, "/"), r.URL.Query())
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(text))), ContentLength: int64(len(text)),
	}, nil
}

// noRoom is a budget that lets nothing be held in memory.
type noRoom struct{}

func (noRoom) TryAcquire(int64) bool { return false }
func (noRoom) Release(int64)         {}

// lake is what the rows of one user's pulls have made, table by table.
type lake struct {
	t      *testing.T
	desk   *desk
	reader *Reader
	user   *User
	now    time.Time
	tables map[string]map[string]string // key -> the columns of the row that stands
	issues Issues                       // of the last pull
}

func newLake(t *testing.T, d *desk, spilled bool, job config.Job) *lake {
	t.Helper()
	cfg := finoos.Config{BaseURL: "http://bank.test", ClientID: "c", ClientSecret: "s", Transport: d, RetryMaxElapsed: -1, ScratchDir: t.TempDir()}
	if spilled {
		cfg.Budget = noRoom{}
	}
	client, err := finoos.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	job.Timezone, job.Overlap = time.UTC, 240*time.Hour
	if job.FullRefreshEvery == 0 {
		job.FullRefreshEvery = 10_000 * time.Hour
	}
	l := &lake{
		t: t, desk: d, now: thatNight, tables: map[string]map[string]string{},
		user: &User{ID: "u", Cursors: map[config.Stream]cursors.Cursor{}},
	}
	l.reader = &Reader{Client: client, Job: &job, Now: func() time.Time { return l.now }, Turns: NewTurns(1)}
	return l
}

// pull pulls a stream, and returns how many rows that wrote and deleted.
func (l *lake) pull(s config.Stream) (rows int) {
	l.t.Helper()
	rows, err := l.try(s)
	if err != nil {
		l.t.Fatal(err)
	}
	return rows
}

func (l *lake) try(s config.Stream) (rows int, err error) {
	l.t.Helper()
	l.desk.asked = nil
	res := l.reader.Begin(l.user, s, table.Diff)
	defer res.Close()
	if err := l.reader.Read(l.t.Context(), l.user, res); err != nil {
		return 0, err
	}
	of := l.tables[string(s)]
	if of == nil || res.mode == table.Full {
		of = map[string]string{}
		l.tables[string(s)] = of
	}
	put := func(row table.Row) error {
		rows++
		key, text, isDelete := flat(row)
		_, there := of[key]
		switch {
		case isDelete && !there:
			l.t.Errorf("%s is deleted, and not there", key)
		case isDelete:
			delete(of, key)
		default:
			of[key] = text
		}
		return nil
	}
	for _, row := range res.Rows {
		if err := put(row); err != nil {
			return 0, err
		}
	}
	if res.More != nil {
		if err := res.More(put); err != nil {
			return 0, err
		}
	}
	if want := int(res.Upserts + res.Deletes); rows != want {
		l.t.Errorf("%d rows came, %d are counted", rows, want)
	}
	l.issues = res.Issues
	c, _ := res.Cursor(l.user.Cursor(s), l.now)
	l.user.Cursors[s] = c
	l.now = l.now.Add(24 * time.Hour)
	return rows, nil
}

func (l *lake) keys(s config.Stream) []string { return slices.Sorted(maps.Keys(l.tables[string(s)])) }

// flat is a row's key and its columns as text, without those of the pull.
func flat(row table.Row) (key, text string, isDelete bool) {
	of := func(parts ...string) string { return strings.Join(parts, "|") }
	switch r := row.(type) {
	case *table.Account:
		return of(r.AccountID), fmt.Sprint(r.Owner, r.Balance, r.Extra), r.Op == table.Delete
	case *table.BankLogin:
		return of(r.BankLoginID), fmt.Sprint(r.Status, r.Extra), r.Op == table.Delete
	case *table.Contract:
		return of(r.ContractID), fmt.Sprint(r.Category, r.Amount, r.Extra), r.Op == table.Delete
	case *table.Transaction:
		return of(r.AccountID, r.TransactionID), fmt.Sprint(r.Purpose, r.Amount, r.BookingDate, r.Extra), r.Op == table.Delete
	case *table.Categorization:
		return of(r.AccountID, r.TransactionID, r.Tag), r.Extra, r.Op == table.Delete
	case *table.AccountHistory:
		return of(r.AccountID, r.Currency, strconv.Itoa(int(r.Date.Days))), fmt.Sprint(r.Balance, r.Extra), r.Op == table.Delete
	}
	panic(fmt.Sprintf("a row of %T", row))
}
