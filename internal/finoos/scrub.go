package finoos

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage is how many characters of a server's text an error keeps.
const maxMessage = 300

// What must not get into an error, even where a server echoes it.
var private = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[^\s"',;]+`), "[token]"},
	{regexp.MustCompile(`\beyJ[\w-]+(\.[\w-]*)*`), "[token]"},
	{regexp.MustCompile(`(?i)\b(access_token|client_secret|password|token|secret)("?\s*[=:]\s*"?)[^\s"'&,;}]+`), "$1$2[secret]"},
	{regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+`), "[url]"}, // an app's, too
	{regexp.MustCompile(`\?[^\s"'<>]*=[^\s"'<>]*`), "?…"},
	{regexp.MustCompile(`[^\s@<>"'(),;:]+@[^\s@<>"'(),;:]+`), "[e-mail]"},
	{regexp.MustCompile(`\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}\b|\b[a-z]{2}\d{2}[a-z0-9]{11,30}\b`), "[iban]"},
	{regexp.MustCompile(`\b\d{9,}\b`), "[number]"},
}

// scrub makes a server's text fit for errors and logs: on one line, without
// secrets and personal data, and of a bounded length.
func (c *Client) scrub(text, userID string) string {
	if text == "" {
		return ""
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = without(text, append(c.tokens.secrets(), c.cfg.ClientSecret.Reveal(), userID)...)
	for _, p := range private {
		text = p.pattern.ReplaceAllString(text, p.instead)
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage-1]) + "…"
	}
	return text
}

// ofServer makes a text fit that a server wrote: there an address is a user's. In the
// transport's own texts it is the server's.
func (c *Client) ofServer(text, userID string) string {
	return c.scrub(withoutAddresses(text), userID)
}

var (
	ipv4      = regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b`)
	perhapsV6 = regexp.MustCompile(`[0-9A-Za-z_.]*:[0-9A-Za-z_.:%]*:[0-9A-Za-z_.:%]*`)
)

const someAddress = "[address]"

func withoutAddresses(text string) string {
	text = perhapsV6.ReplaceAllStringFunc(text, func(found string) string {
		label, rest, _ := strings.Cut(found, ":") // such as ip:
		for _, try := range []string{found, rest} {
			bare := strings.TrimRight(try, ".:")
			if strings.HasSuffix(try, "::") {
				bare += "::"
			}
			if _, err := netip.ParseAddr(bare); err != nil || bare == "::" {
				continue
			}
			if try == found {
				return someAddress
			}
			return label + ":" + someAddress
		}
		return found
	})
	return ipv4.ReplaceAllString(text, someAddress)
}

// without replaces secrets, in any case and also as they stand in a URL.
func without(text string, secrets ...string) string {
	forms := []string{}
	long := utf8.RuneCountInString(text)
	for _, secret := range secrets {
		if secret = strings.ToValidUTF8(secret, "\uFFFD"); secret == "" || utf8.RuneCountInString(secret) > long {
			continue // in another case, too, it has as many characters
		}
		forms = append(forms, regexp.QuoteMeta(secret),
			regexp.QuoteMeta(url.PathEscape(secret)), regexp.QuoteMeta(url.QueryEscape(secret)))
	}
	if len(forms) == 0 {
		return text
	}
	// The longest first, so that none is left behind with its end.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile("(?i)"+strings.Join(forms, "|")).ReplaceAllString(text, redacted)
}
