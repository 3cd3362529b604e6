package sandbox

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// witness asks a sandbox the same questions again and again, over three
// nights, and hands on what is answered until nobody wants to know more.
type witness struct {
	*client
	tell func(what string) bool
	done bool
}

func (w *witness) ask(method, path string, headers ...string) string {
	if w.done {
		return ""
	}
	began := time.Now()
	resp, err := w.send(method, path, "", append(headers, "User-IP", "192.0.2.7")...)
	said := fmt.Sprint(method, " ", path, " ", err)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		said = fmt.Sprint(method, " ", path, " ", resp.StatusCode, resp.Header, err, sha256.Sum256(body))
		_ = resp.Body.Close()
	}
	w.done = !w.tell(fmt.Sprint(said, time.Since(began)))
	return string(body)
}

func (w *witness) nights() {
	for night := range 3 {
		for page := range 9 {
			w.ask(http.MethodGet, fmt.Sprintf("/users?page=%d", page))
		}
		w.ask(http.MethodGet, "/users")
		w.tokens()
		for i := range 12 {
			w.user(w.s.UserID(i), i < 2)
		}
		w.user(w.s.UserID(w.s.seed.on("bad user").below(24)), true)
		if w.done {
			return
		}
		if night < 2 {
			w.s.Night()
			w.login()
		}
	}
}

// tokens follows a list that names its pages.
func (w *witness) tokens() {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"sandbox"}, "client_secret": {"sandbox"}}
	resp, err := w.send(http.MethodPost, "/auth", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	w.done = w.done || !w.tell(fmt.Sprintf("auth %s", body))
	body = []byte(w.ask(http.MethodGet, "/users"))
	for range 9 {
		_, rest, found := strings.Cut(string(body), `"next":"p`)
		token, _, _ := strings.Cut(rest, `"`)
		if !found {
			return
		}
		body = []byte(w.ask(http.MethodGet, "/users?page="+url.QueryEscape("p"+token)))
	}
}

func (w *witness) user(id string, deep bool) {
	base := "/users/" + url.PathEscape(id)
	paths := []string{
		"", "/banking/accounts", "/banking/logins", "/banking/correlation", "/contracts", "/contracts/correlation",
		"/categorization?correlation-id=" + w.s.correlationOf(id), "/categorization?correlation-id=none",
	}
	if deep {
		since := url.QueryEscape(w.s.Now().AddDate(0, 0, -30).Format(time.RFC3339))
		paths = append(paths,
			"/banking/transactions", "/banking/transactions?since="+since, "/banking/transactions?since=2025-06-01T00%3A00%3A00Z",
			"/banking/transactions?transactionIds=x", "/categorization", "/categorization", "/categorization/correlation", "/categorization/transactions",
			"/account-history", "/account-history/correlation",
		)
	}
	for _, path := range paths {
		w.ask(http.MethodGet, base+path)
	}
	if deep {
		w.ask(http.MethodGet, base+"/banking/accounts", "Accept-Encoding", "gzip")
		w.ask(http.MethodPost, base+"/banking/sync")
	}
}

// correlationOf is the first analysis of a user, for diffs.
func (s *Sandbox) correlationOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := s.exists(id)
	if l := s.lived(i); len(l.analyses) > 0 {
		return s.correlationID(l.analyses[0], categorization)
	}
	return "none"
}

// watch runs a witness within a bubble, since some answers take a while.
func watch(t *testing.T, r Readings, tell func(string) bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{
			Users: 24, Seed: 7, PageSize: 9, CategorizationPageSize: 150, Readings: r,
			Nightly: Odds{Analysed: 0.5, Gone: -1, Joined: -1}, Sync: SyncOdds{Lost: -1},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := &client{T: t, s: s, http: &http.Client{Transport: s.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
		if r.BOM == "" && !strings.HasPrefix(r.Attack, "token") {
			c.login()
		} else {
			c.token = s.token(0, time.Now().Add(tokenLife))
		}
		(&witness{client: c, tell: tell}).nights()
	})
}

// usual is what the witness hears beside settings, once for all tests.
var usual struct {
	sync.Mutex
	said map[string][]string
}

func usually(t *testing.T, with string) []string {
	t.Helper()
	usual.Lock()
	defer usual.Unlock()
	if usual.said == nil {
		usual.said = map[string][]string{}
	}
	if usual.said[with] == nil {
		watch(t, parsed(t, with), func(what string) bool {
			usual.said[with] = append(usual.said[with], what)
			return true
		})
	}
	return usual.said[with]
}

func parsed(t *testing.T, text string) Readings {
	t.Helper()
	r, err := ParseReadings(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEachValueOfEachReadingChangesWhatIsAnswered(t *testing.T) {
	t.Parallel()
	n := 0
	for _, reading := range AllReadings() {
		for _, value := range reading.Values {
			if n++; underRace && n%6 != 0 {
				continue // ten times slower; all of them are tried without it
			}
			setting := strings.TrimPrefix(reading.With+","+reading.Name+"="+value, ",")
			t.Run(setting, func(t *testing.T) {
				t.Parallel()
				want, n := usually(t, reading.With), 0
				differs := false
				watch(t, parsed(t, setting), func(what string) bool {
					differs = differs || n >= len(want) || what != want[n]
					n++
					return !differs
				})
				if same := value == reading.Values[0] || sameAs[reading.Name] == value; same == differs {
					t.Errorf("it changes something: %v", differs)
				}
			})
		}
	}
}

// sameAs are the values that write down what the witness's options say anyway.
var sameAs = map[string]string{
	"first_page": "1", "context": "full", "end": "empty", "unknown_correlation": "404", "diff": "added", "removed_tags": "kept",
}

func TestReadingsAreParsedAndPrinted(t *testing.T) {
	t.Parallel()
	text := "page_size=20,outage=html,dates=impossible"
	r, err := ParseReadings(" dates=impossible, page_size=20 ,,outage=html")
	if err != nil || r != (Readings{PageSize: "20", Outage: "html", Dates: "impossible"}) || r.String() != text {
		t.Errorf("%v, %+v", err, r)
	}
	if r, err := ParseReadings(""); err != nil || r != (Readings{}) {
		t.Errorf("nothing: %v, %+v", err, r)
	}
}

func TestWrongReadingsNameTheNearest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"pagesize=20":   `no reading "pagesize": did you mean "page_size"`,
		"Dates=zero":    `did you mean "dates"`,
		"dates=epoc":    `reading "dates" has no value "epoc": did you mean "epoch"`,
		"outage":        `reading "outage" has no value ""`,
		"moving=remov":  `did you mean "remove"? It has given insert remove`,
		"page_size=":    `reading "page_size" has no value ""`,
		"order=nightly": "",
	} {
		_, err := ParseReadings(text + ",bogus=1")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"bogus"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := New(Options{Readings: Readings{Window: "417"}}); err == nil || !strings.Contains(err.Error(), `"416"`) {
		t.Errorf("a wrong value in Options: %v", err)
	}
}

func TestEveryReadingHasAReasonAndFieldOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[*string]string{}
	names := map[string]bool{}
	var r Readings
	for _, d := range allReadings() {
		values := strings.Fields(d.values)
		if len(values) < 2 || d.why == "" || names[d.name] || seen[d.at(&r)] != "" {
			t.Errorf("%s: %d values, why %q, its name is taken: %v, its field is that of %q", d.name, len(values), d.why, names[d.name], seen[d.at(&r)])
		}
		seen[d.at(&r)], names[d.name] = d.name, true
	}
}

func TestTheFirstValueOfEachReadingIsNoReading(t *testing.T) {
	t.Parallel()
	var r Readings
	for _, reading := range AllReadings() {
		if err := r.set(reading.Name, reading.Values[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.settle(); err != nil || r != (Readings{}) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestMixturesAreDecidedByTheirSeed(t *testing.T) {
	t.Parallel()
	seen := map[Readings]bool{}
	for seed := range uint64(20) {
		r := MixReadings(seed, 0.2)
		again, err := ParseReadings(r.String())
		if err != nil || r != MixReadings(seed, 0.2) || r != again {
			t.Errorf("seed %d: %v, %v", seed, r, err)
		}
		seen[r] = true
	}
	if len(seen) < 20 {
		t.Errorf("20 seeds make %d mixtures", len(seen))
	}
}

func TestTheSameReadingsGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	r := parsed(t, "turnover=few,moving=reorder,order=request,repeats=different,dates=epoch,pending=undated,outage=cut,bad_user=slow,not_ready=206")
	var first []string
	watch(t, r, func(what string) bool {
		first = append(first, what)
		return true
	})
	n := 0
	watch(t, r, func(what string) bool {
		if n >= len(first) || first[n] != what {
			t.Errorf("answer %d differs: %.200s", n, what)
			return false
		}
		n++
		return true
	})
	if n != len(first) {
		t.Errorf("%d answers, then %d", len(first), n)
	}
}
