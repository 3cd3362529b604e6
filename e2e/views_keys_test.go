package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	lakerows "finoos-syncer/internal/sink/table"
)

// writeRows writes one file of a table as the product does.
func writeRows(t *testing.T, dir, file string, masking *lakerows.Masking, rows ...lakerows.Row) {
	t.Helper()
	folder := filepath.Join(dir, lakerows.Of(rows[0]).Name, "ingest_date=2026-11-22")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(folder, file+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := lakerows.NewFile(lakerows.Of(rows[0]), out, lakerows.FileOptions{RunID: file, Masking: masking})
	if err == nil {
		err = f.Append(rows...)
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// keysLake is a lake of two nights in which rows differ by one part of their key
// alone; the second night sets some anew and ends others.
func keysLake(t *testing.T, masking *lakerows.Masking) string {
	t.Helper()
	dir := t.TempDir()
	at := func(op lakerows.Op, n int) lakerows.Meta {
		return lakerows.Meta{Op: op, Pull: lakerows.Diff, ExtractedAt: time.Date(2026, 11, 20+n, 3, 0, 0, 0, time.UTC)}
	}
	booking := func(account, purpose string, m lakerows.Meta) lakerows.Row {
		return &lakerows.Transaction{UserID: "u", AccountID: account, TransactionID: "own transfer", Purpose: purpose, Meta: m}
	}
	tag := func(account, tag string, m lakerows.Meta) lakerows.Row {
		return &lakerows.Categorization{UserID: "u", AccountID: account, TransactionID: "own transfer", Tag: tag, Meta: m}
	}
	balance := func(currency string, units int64, m lakerows.Meta) lakerows.Row {
		return &lakerows.AccountHistory{
			UserID: "u", AccountID: "giro", Currency: currency, Date: lakerows.DateOf(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)),
			Balance: lakerows.Decimal{Units: units * 10_000, Valid: true}, Meta: m,
		}
	}
	one, two, gone := at(lakerows.Upsert, 1), at(lakerows.Upsert, 2), at(lakerows.Delete, 2)
	writeRows(t, dir, "one", masking, booking("giro", "out", one), booking("savings", "in", one), booking("", "of no account", one))
	writeRows(t, dir, "two", masking, booking("giro", "", gone), booking("", "still of none", two))
	writeRows(t, dir, "one", masking,
		tag("giro", "saving", one), tag("savings", "saving", one), tag("", "saving", one), tag("giro", "", one), tag("savings", "", one))
	writeRows(t, dir, "two", masking, tag("", "saving", gone), tag("giro", "", gone))
	writeRows(t, dir, "one", masking, balance("EUR", 100, one), balance("USD", 7, one), balance("", 1, one))
	writeRows(t, dir, "two", masking, balance("USD", 8, two), balance("", 0, gone))
	return dir
}

// keyQueries are what a warehouse asks, and what it is to be told.
var keyQueries = map[string][]string{
	"SELECT account_id || ': ' || purpose AS said FROM current_transactions":                                                         {": still of none", "savings: in"},
	"SELECT account_id || ': ' || tag AS said FROM current_categorization":                                                           {"giro: saving", "savings: ", "savings: saving"},
	"SELECT currency || ': ' || balance AS said FROM current_account_history":                                                        {"EUR: 100.0000", "USD: 8.0000"},
	"SELECT account_id || ': ' || purpose AS said FROM history_transactions WHERE valid_to IS NOT NULL":                              {": of no account", "giro: out"},
	"SELECT account_id || ': ' || tag AS said FROM history_categorization WHERE valid_to IS NOT NULL":                                {": saving", "giro: "},
	"SELECT currency || ': ' || balance AS said FROM history_account_history WHERE valid_to IS NOT NULL":                             {": 1.0000", "USD: 7.0000"},
	"SELECT currency || ': ' || _op AS said FROM account_history WHERE currency = ''":                                                {": delete", ": upsert"},
	"SELECT account_id || ': ' || _op AS said FROM transactions WHERE account_id = ''":                                               {": upsert", ": upsert"},
	"SELECT t.purpose AS said FROM current_transactions t JOIN current_categorization c USING (user_id, account_id, transaction_id)": {"in", "in"},
}

func TestTheCurrentStateHasOneRowOfEachWholeKey(t *testing.T) {
	t.Parallel()
	l := openLake(t, keysLake(t, nil))
	for query, want := range keyQueries {
		var got []string
		for _, r := range l.query(t, query+" ORDER BY said") {
			got = append(got, fmt.Sprint(r["said"]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// Hidden keys are told apart, and met, like plain ones; what is empty says nothing
// that could be hidden.
func TestTheCurrentStateOfHiddenKeysHasTheSameRows(t *testing.T) {
	t.Parallel()
	hidden := map[string]lakerows.Mask{}
	for _, name := range []string{"transactions", "categorization", "account_history"} {
		m := lakerows.Mask{Columns: map[string]lakerows.MaskAction{}}
		for _, c := range lakerows.ByName(name).Columns {
			if c.Key && c.Type == lakerows.TypeString {
				m.Columns[c.Name] = lakerows.MaskHMAC
			}
		}
		hidden[name] = m
	}
	plain, masked := openLake(t, keysLake(t, nil)), openLake(t, keysLake(t, &lakerows.Masking{Key: []byte("0123456789abcdef"), Tables: hidden}))
	for name, m := range hidden {
		for _, view := range []string{"current_" + name, "history_" + name} {
			query := "SELECT count(*) FROM " + view
			if got, want := masked.count(t, query), plain.count(t, query); got != want || want == 0 {
				t.Errorf("%s has %d rows, and %d with hidden keys", view, want, got)
			}
		}
		for column := range m.Columns {
			query := fmt.Sprintf("SELECT count(*) FROM %s WHERE %s = ''", name, column)
			if got, want := masked.count(t, query), plain.count(t, query); got != want {
				t.Errorf("%s.%s is empty in %d rows, and in %d when it is hidden", name, column, want, got)
			}
			query = fmt.Sprintf("SELECT count(*) FROM %s WHERE %[2]s IS NULL OR length(%[2]s) NOT IN (0, 64)", name, column)
			if n := masked.count(t, query); n > 0 {
				t.Errorf("%s.%s is in plain words in %d rows", name, column, n)
			}
		}
	}
}
