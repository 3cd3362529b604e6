package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"
)

// dailyLimit is how many manual synchronisations a login has a day: what
// PSD2 allows without the user.
const dailyLimit = 4

// synchronize answers POST …/banking/sync.
func (s *Sandbox) synchronize(c *call) answer {
	if c.r.Header.Get("User-IP") == "" { //nolint:canonicalheader // as the document spells it
		return failure(http.StatusBadRequest, "invalid_request", "the header User-IP is missing")
	}
	var body struct {
		BankLoginID  string   `json:"bankLoginId"`
		AccountTypes []string `json:"accountTypes"`
		RedirectURL  string   `json:"redirectURL"`
		ErrorURL     string   `json:"errorURL"`
		ExitURL      string   `json:"exitURL"`
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, 1<<16))
	if err != nil || len(text) > 0 && json.Unmarshal(text, &body) != nil {
		return failure(http.StatusBadRequest, "invalid_request", "the body cannot be read")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lived(c.index)
	var asked []loginState
	var bits uint
	for i, login := range l.logins {
		if body.BankLoginID == "" || login.id == body.BankLoginID {
			asked = append(asked, login)
			bits |= 1 << i
		}
	}
	if len(asked) == 0 {
		return failure(http.StatusNotFound, "bank_login_not_found", "the user has no such bank login")
	}
	for _, login := range asked {
		if a, refused := s.meetBank(c, login); refused {
			return a
		}
	}
	return s.startAnalysis(c, l, bits)
}

// meetBank spends one of the day's synchronisations, unless the bank refuses.
func (s *Sandbox) meetBank(c *call, login loginState) (answer, bool) {
	kind := c.fault.Kind
	if kind == "" {
		kind = s.temper(login)
	}
	at := spending{login.id, s.nights}
	if kind == DailyLimit || kind != RateLimited && s.spent[at] >= dailyLimit {
		return failure(http.StatusTooManyRequests, "daily_limit", "the daily limit of manual synchronisations is reached"), true
	}
	switch kind {
	case Deprecated:
		return failure(http.StatusConflict, "interface_deprecated", "the connection must be updated in a management session"), true
	case RateLimited:
		return failure(http.StatusTooManyRequests, "rate_limited", "too many requests"), true
	default: // reaches the bank
	}
	s.spent[at]++
	switch kind {
	case Credentials:
		return failure(http.StatusUnprocessableEntity, "credentials_required", "the user's credentials are required"), true
	case Blocked:
		return failure(http.StatusLocked, "blocked", "the bank has blocked the access of this user"), true
	case SCARequired:
		return scaRequired(s.seed.on("session "+login.id, s.nights, s.spent[at])), true
	case Reset:
		c.spoil = reset
	default: // goes well
	}
	return answer{}, false
}

// temper is what a login's synchronisations meet, today and every day: a
// bank that has blocked a user stays so.
func (s *Sandbox) temper(login loginState) Kind {
	odds := s.opts.Sync
	d := s.seed.on("temper " + login.id)
	switch {
	case login.status == statusSCA, d.on("sca").chance(odds.SCA):
		return SCARequired
	case d.on("deprecated").chance(odds.Deprecated):
		return Deprecated
	case d.on("credentials").chance(odds.Credentials):
		return Credentials
	case d.on("blocked").chance(odds.Blocked):
		return Blocked
	case d.on("lost", s.nights).chance(odds.Lost):
		return Reset
	default:
		return SyncSucceeds
	}
}

func scaRequired(d dice) answer {
	var w wire
	w.open('{')
	w.str("sessionId", d.uuid())
	w.str("userIdentifier", "K"+d.on("identifier").digits(8))
	w.str("redirectURL", "https://connect.example/sca?session="+d.uuid()+"&secret="+d.on("secret").digits(16))
	w.close('}')
	return answer{status: http.StatusUnavailableForLegalReasons, body: w.b}
}

// startAnalysis has fresh data analysed. About half of the users are told
// which analysis it is.
func (s *Sandbox) startAnalysis(c *call, l life, logins uint) answer {
	a := analysis{night: s.nights, seq: 1, day: s.today(), logins: logins, started: c.now}
	for _, earlier := range s.syncs[c.index] {
		if earlier.night == s.nights {
			a.seq++
		}
	}
	a.at = s.now().Add(time.Duration(a.seq) * time.Minute)
	a.id = s.seed.on("analysis", c.index, s.nights, a.seq).uuid()
	if len(l.analyses) == 0 {
		a.logins = ^uint(0)
	}
	s.syncs[c.index] = append(slices.Clip(s.syncs[c.index]), a)
	done := answer{status: http.StatusNoContent}
	if s.seed.on("told", c.index).chance(0.5) {
		return done.with("Finoos-Correlation-Id", a.id)
	}
	return done
}
