package sandbox

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// attackReadings are about what no API should send. One user's accounts are
// answered so, but for the token.
func attackReadings() []reading {
	return []reading{
		{"attack", "none deep keys records echo escapes status bomb token_lines token_long", "a compromised or broken server: nesting, a million names, an error that holds the token, text for a terminal, a small body that unpacks to a big one, a token with line breaks", "", func(r *Readings) *string { return &r.Attack }},
		{"encoding", "identity gzip", "bodies are packed for those who take it", "", func(r *Readings) *string { return &r.Encoding }},
	}
}

// attacks tells whether a call is the one that is answered by the attacker.
func (s *Sandbox) attacks(c *call) bool {
	if s.opts.Readings.Attack == "" || c.op.name != "accounts" || c.index < 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.index == s.seed.on("bad user").below(s.joined[0])
}

func (s *Sandbox) attack(c *call) (answer, bool) {
	if !s.attacks(c) {
		return answer{}, false
	}
	account := func(rest string) (answer, bool) {
		return ok([]byte(`{"accounts":[{"accountId":"a1"` + rest + `}]}`)), true
	}
	switch s.opts.Readings.Attack {
	case "deep":
		return account(`,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000))
	case "keys":
		var b strings.Builder
		for i := range 250_000 {
			n := strconv.Itoa(i)
			b.WriteString(`,"k` + n + `":` + n)
		}
		return account(b.String())
	case "records":
		var b strings.Builder
		for i := range 250_000 {
			b.WriteString(`},{"accountId":"a` + strconv.Itoa(i+2) + `"`)
		}
		return account(b.String())
	case "echo":
		token := c.r.Header.Get("Authorization")
		return failure(http.StatusBadRequest, "bad "+token, "user "+c.id+", header "+token+", IBAN DE89 3704 0044 0532 0130 00, https://bank.example/redirect?token="+token), true
	case "escapes":
		a := failure(http.StatusInternalServerError, "boom\x1b[31m\nx", "line\nlevel=ERROR msg=forged <script>alert(1)</script>\x1b]0;owned\x07")
		return a.with("X-Request-Id", "req[31m"), true
	case "status":
		return failure(599, "x", "no such status"), true
	case "bomb":
		if !takesGzip(c.r) {
			return account("")
		}
		return ok(bomb()).with("Content-Encoding", "gzip"), true
	default: // is the business of the token
		return answer{}, false
	}
}

// spoilToken is a token that no header should hold.
func (r Readings) spoilToken(token string) string {
	switch r.Attack {
	case "token_lines":
		return token + "\r\nX-Evil: 1"
	case "token_long":
		return token + strings.Repeat("T", 3_000_000)
	default:
		return token
	}
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// bomb is 300 MiB of one account, packed.
var bomb = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	block := bytes.Repeat([]byte("A"), 1<<20)
	for i := range 302 {
		text := block
		switch i {
		case 0:
			text = []byte(`{"accounts":[{"accountId":"`)
		case 301:
			text = []byte(`"}]}`)
		}
		if _, err := z.Write(text); err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := z.Close(); err != nil {
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
})

// dress is what becomes of every body on its way out.
func (r Readings) dress(c *call, a answer) answer {
	if len(a.body) == 0 || a.header.Get("Content-Encoding") != "" {
		return a
	}
	if r.BOM != "" {
		a.body = append([]byte("\xef\xbb\xbf"), a.body...)
	}
	if r.Encoding != "" && takesGzip(c.r) {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, err := z.Write(a.body)
		if err != nil || z.Close() != nil {
			panic("sandbox: a buffer does not take everything")
		}
		a.body = out.Bytes()
		return a.with("Content-Encoding", "gzip")
	}
	return a
}
