package jobs

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// mostNightsBehind is how many nights after a change the lake has it at last.
const mostNightsBehind = 14

// manyNights runs a job night for night whose users have next to no data, and knows which
// analyses their services have shown.
type manyNights struct {
	*bank
	users int
	token string
	shown []map[string]string // by night: the analysis by user and service
	asked int64               // after the first night
	modes []string
}

func beginNights(b *bank, users int) *manyNights {
	b.light()
	return &manyNights{bank: b, users: users}
}

// ask asks the bank itself, past what stands between it and the runs.
func (m *manyNights) ask(method, path, body string) []byte {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, "http://bank.test"+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+m.token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := m.Transport().RoundTrip(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer
}

// look notes what the services of all users show tonight.
func (m *manyNights) look() {
	m.t.Helper()
	var got struct {
		Token string `json:"access_token"`
		ID    string `json:"correlationID"`
	}
	if err := json.Unmarshal(m.ask(http.MethodPost, "/auth", "grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"), &got); err != nil {
		m.t.Fatal(err)
	}
	m.token = got.Token
	tonight := map[string]string{}
	for u := range m.users {
		for _, service := range allServices {
			got.ID = ""
			if err := json.Unmarshal(m.ask(http.MethodGet, "/users/"+m.UserID(u)+"/"+service+"/correlation", ""), &got); err != nil {
				m.t.Fatal(err)
			}
			tonight[m.UserID(u)+" "+service] = got.ID
		}
	}
	m.shown = append(m.shown, tonight)
}

// night is one night and its run, after which no cursor may be of an analysis that its
// service has not shown for two weeks.
func (m *manyNights) night(lines ...string) *report.Report {
	m.t.Helper()
	if len(m.shown) > 0 {
		m.Night()
	}
	m.look()
	rep, err := m.try(m.t.Context(), m.options(m.config(lines...)))
	if reason, told := ReasonOf(err); err != nil && (!told || reason != ReasonPartial) {
		m.t.Fatal(err)
	}
	if len(m.shown) > 1 {
		m.asked += rep.Requests
	}
	m.modes = append(m.modes, rep.Probe.Mode)
	lately := m.shown[max(0, len(m.shown)-1-mostNightsBehind):]
	for user, streams := range m.cursors() {
		for stream, c := range streams {
			service, ok := config.ServiceOf(stream)
			if !ok {
				continue
			}
			key := user + " " + string(service)
			if !slices.ContainsFunc(lately, func(night map[string]string) bool { return night[key] == c.CorrelationID }) {
				m.t.Errorf("night %d: the cursor of %s of %s is of an analysis that was not shown for %d nights", len(m.shown), stream, user, mostNightsBehind)
			}
		}
	}
	return rep
}

// perUser is how many requests a user and night there were, after the first.
func (m *manyNights) perUser() float64 { return float64(m.asked) / float64(m.users*(len(m.shown)-1)) }

// TestThirtyNightsWithOneServiceAsked is the promise of docs/design.md, "Whom to ask": a
// change is in the lake two weeks later at the latest, whatever the services do; and what
// that costs where they do what is likely.
func TestThirtyNightsWithOneServiceAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		users    int
		changed  float64 // share of the users a night
		readings string
		most     float64 // requests a user and night
	}{
		"two in a hundred changed":      {80, 0.02, "", 1.65},
		"nineteen in a hundred changed": {80, 0.19, "", 3.5},
		"own ids, hours late":           {40, 0.19, "correlation_ids=per_service,services=hours", 5.5},
		"stuck for some":                {40, 0.19, "services=stuck_some", 5},
		"own ids, stuck for some":       {40, 0.19, "correlation_ids=per_service,services=stuck_some", 5},
		"404 while at work":             {40, 0.19, "services=analysing_404", 5},
		"tags analysed alone":           {40, 0.05, "services=retagged", 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users, nights := c.users, 30
			if raceEnabled {
				users, nights = 20, 17
			}
			readings, err := sandbox.ParseReadings(c.readings)
			if err != nil {
				t.Fatal(err)
			}
			o := banktest.Steady(users)
			o.Readings, o.Nightly.Analysed, o.Past = readings, c.changed, 60
			inBubble(t, o, func(b *bank) {
				m := beginNights(b, users)
				for range nights {
					m.night(oneService, "full_refresh_every: 168h")
				}
				if got := m.perUser(); got > c.most && !raceEnabled {
					b.t.Errorf("%.2f requests a user and night, want %.2f at most", got, c.most)
				}
				b.t.Logf("%.2f requests a user and night", m.perUser())
			})
		})
	}
}

// Where tags are analysed alone, nothing tells of it but the audits. Once that ends, two
// weeks of asking everything prove it.
func TestOneServiceIsBelievedAgainWhenItHasMisledNobodyForTwoWeeks(t *testing.T) {
	t.Parallel()
	const users = 80
	o := banktest.Still(users)
	o.Readings = sandbox.Readings{Services: "retagged"}
	inBubble(t, o, func(b *bank) {
		m := beginNights(b, users)
		moves := false
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if user, rest := pathOf(r); moves && strings.HasSuffix(rest, "/correlation") {
				of := string(finoos.CategorizationService)
				return answers(r, http.StatusOK, string(m.ask(http.MethodGet, "/users/"+user+"/"+of+"/correlation", ""))), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		for range 8 {
			m.night(oneService)
		}
		if m.modes[0] != config.ProbeOne || m.modes[7] != config.ProbeEach {
			b.t.Fatalf("the modes are %v: it did not fall back", m.modes)
		}
		moves = true
		m.Night()
		m.run(oneService) // all of them show another analysis now
		for night := range 3 * mostNightsBehind {
			m.Night()
			switch one := m.run(oneService).Probe.Mode == config.ProbeOne; {
			case one && night < mostNightsBehind-1:
				b.t.Fatalf("it is believed again after %d nights", night+1)
			case one:
				return
			}
		}
		b.t.Error("it is never believed again")
	})
}
