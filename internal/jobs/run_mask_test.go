package jobs

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/jobs/banktest"
)

// TestWhatIsMaskedStandsInNoFile looks for the masked values of the truth in
// every file that the job has left, in its tables and beside them.
func TestWhatIsMaskedStandsInNoFile(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(3), func(b *bank) {
		b.run("mask: {accounts: {iban: hmac, owner: drop, bank_name: drop, _extra.standingOrders: drop}, "+
			"transactions: {partner_iban: hmac, partner_name: drop, partner_mandate_reference: hmac, purpose: drop}, "+
			"contracts: {partner_name: hmac, mandate_reference: drop}, users: {name: drop}}",
			"mask_key: 0123456789abcdef")
		secrets := map[string]string{}
		for table, columns := range map[string][]string{
			"accounts": {"iban", "owner"}, "transactions": {"partner_iban", "partner_name"}, "contracts": {"partner_name", "mandate_reference"}, "users": {"name"},
		} {
			for row := range b.Truth(table) {
				for _, c := range columns {
					if s, _ := row[c].(string); len(s) > 5 {
						secrets[s] = table + "." + c
					}
				}
			}
		}
		if len(secrets) < 20 {
			b.t.Fatalf("only %d values to look for", len(secrets))
		}
		files := 0
		err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			files++
			body, err := os.ReadFile(path)
			for secret, what := range secrets {
				if bytes.Contains(body, []byte(secret)) {
					b.t.Errorf("%s stands in %s", what, strings.TrimPrefix(path, b.dir))
				}
			}
			return err
		})
		if err != nil || files < 9 {
			b.t.Errorf("%d files, %v", files, err)
		}
	})
}

func TestOnlyAJobWithAKeyMasksByHMAC(t *testing.T) {
	t.Parallel()
	b := &bank{t: t, dir: t.TempDir()}
	cfg := b.config("mask: {all: {user_id: hmac}}", "mask_key: 0123456789abcdef")
	m, err := cfg.Jobs["nightly"].Masking()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Tables) != 9 {
		t.Errorf("user_id is hidden in %d tables, want all nine", len(m.Tables))
	}
	if m.Tables["users"].Columns["duplicates"] != "hmac" {
		t.Error("ids of users stand in users.duplicates in clear")
	}
	if plain, err := b.config().Jobs["nightly"].Masking(); plain != nil || err != nil {
		t.Errorf("without a mask: %v, %v", plain, err)
	}
}

func TestAnIssueNamesAUserAsTheTablesDoWhereUsersAreMasked(t *testing.T) {
	t.Parallel()
	first := regexp.MustCompile(`(?i)\{\s*("accountid")`)
	inBubble(t, banktest.Still(3), func(b *bank) {
		b.transport = via{nil, func(r *http.Request) (*http.Response, error) {
			resp, err := b.Transport().RoundTrip(r)
			if err != nil || !strings.HasSuffix(r.URL.Path, "/accounts") {
				return resp, err
			}
			return rewritten(resp, func(body []byte) []byte {
				return first.ReplaceAll(body, []byte(`{"owner":{"x":"\u0000"},"other":1,$1`))
			})
		}}
		plain := b.run("streams: [accounts]").Issues
		if plain["unreadable"].Count == 0 || plain["unreadable"].UserID == "" || plain["unreadable"].Stream != "accounts" || plain["replaced"].Count != plain["unreadable"].Count {
			b.t.Errorf("%+v", plain)
		}
		b.dir = b.t.TempDir() // ids of users are masked from the first row on
		o := b.options(b.config("streams: [accounts]", "mask: {all: {user_id: hmac}}", "mask_key: 0123456789abcdef"))
		rep, err := b.try(b.t.Context(), o)
		if of := rep.Issues["unreadable"]; err != nil || of.Count != plain["unreadable"].Count || !slices.ContainsFunc(b.rows("accounts"), func(row map[string]string) bool { return row["user_id"] == of.UserID }) {
			b.t.Errorf("%v: %+v", err, rep.Issues)
		}
	})
}
