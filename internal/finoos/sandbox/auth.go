package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenLife is what the document says.
const tokenLife = 300 * time.Second

// authenticate answers POST /auth. Tokens carry when they expire and a check,
// so that none has to be remembered.
func (s *Sandbox) authenticate(c *call) answer {
	if err := c.r.ParseForm(); err != nil {
		return refusal(http.StatusBadRequest, "invalid_request", "the form cannot be read")
	}
	switch {
	case c.r.PostFormValue("grant_type") != "client_credentials":
		return refusal(http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials")
	case c.r.PostFormValue("client_id") != s.opts.ClientID || c.r.PostFormValue("client_secret") != s.opts.ClientSecret, s.Faults().Revoked:
		return refusal(http.StatusUnauthorized, "invalid_client", "client id or secret are wrong")
	}
	s.mu.Lock()
	generation := s.tokens
	s.mu.Unlock()
	var w wire
	w.open('{')
	w.str("access_token", s.opts.Readings.spoilToken(s.token(generation, c.now.Add(tokenLife))))
	s.opts.Readings.writeExpiry(&w)
	w.str("token_type", "Bearer")
	s.opts.Readings.writeScopes(&w, s.opts.Scopes)
	w.str("session_state", s.seed.on("session", int(c.now.Unix())).uuid())
	w.number("not-before-policy", 0)
	w.close('}')
	return ok(w.b)
}

// refusal is the error body of OAuth.
func refusal(status int, kind, message string) answer {
	var w wire
	w.open('{')
	w.str("error", kind)
	w.str("error_description", message)
	w.close('}')
	return answer{status: status, body: w.b}
}

func (s *Sandbox) token(generation int, expires time.Time) string {
	at := int(expires.UnixMilli())
	return fmt.Sprintf("sandbox.%d.%d.%016x", generation, at, uint64(s.seed.on("token", generation, at)))
}

// RevokeTokens makes every token that was given out invalid. New ones can be
// had.
func (s *Sandbox) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
}

// unauthorized refuses requests without a living token, or without the scope.
func (s *Sandbox) unauthorized(c *call, f Faults) (answer, bool) {
	token, bearer := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !bearer || !s.valid(token, c.now.Add(f.TokenEarly)) || f.Revoked {
		return failure(http.StatusUnauthorized, "unauthorized", "the token is missing, wrong or expired").
			with("WWW-Authenticate", `Bearer error="invalid_token"`), true
	}
	if c.op.scope != "" && !slices.Contains(s.opts.Scopes, c.op.scope) {
		return failure(http.StatusForbidden, "forbidden", "the client lacks the scope "+c.op.scope), true
	}
	return answer{}, false
}

func (s *Sandbox) valid(token string, now time.Time) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 4 {
		return false
	}
	generation, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	at, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return false
	}
	expires := time.UnixMilli(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	return generation == s.tokens && token == s.token(generation, expires) && now.Before(expires)
}
