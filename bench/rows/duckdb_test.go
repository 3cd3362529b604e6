package rows

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the engine to compare with
	"github.com/go-json-experiment/json/jsontext"

	"finoos-syncer/bench/rows/path"
	"finoos-syncer/internal/jobs/config"
)

// threads are those of the machine that the budget is about.
const threads = 2

// lists is in how many files the records are: a thread reads a file.
const lists = 4 * threads

func openDuckDB(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	execute(t, db, fmt.Sprintf("SET threads = %d; SET TimeZone = 'UTC'", threads))
	return db
}

func execute(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// writeLines writes the records of all bodies in the form that DuckDB reads
// fastest: one a line, in several files, each record with its user.
func writeLines(t *testing.T, b *path.Bodies, dir string) {
	t.Helper()
	files := make([]bytes.Buffer, lists)
	for i, body := range b.ByUser {
		for _, record := range recordsOf(t, body) {
			out := &files[i%lists]
			fmt.Fprintf(out, `{"user_id":%q,`, b.Users[i])
			out.Write(record[1:])
			out.WriteByte('\n')
		}
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.ndjson", i)), files[i].Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// writeBodies writes the bodies as the API sends them, a file each, which is named
// after its user.
func writeBodies(t *testing.T, b *path.Bodies, dir string) {
	t.Helper()
	for i, body := range b.ByUser {
		text, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, b.Users[i]+".json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// recordsOf are the records of a body, which is a list or has one.
func recordsOf(t *testing.T, body *io.SectionReader) []jsontext.Value {
	t.Helper()
	dec := jsontext.NewDecoder(io.NewSectionReader(body, 0, body.Size()))
	for dec.PeekKind() != jsontext.KindBeginArray {
		if _, err := dec.ReadToken(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		t.Fatal(err)
	}
	var records []jsontext.Value
	for dec.PeekKind() != jsontext.KindEndArray {
		v, err := dec.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, v.Clone())
	}
	return records
}

// query is how DuckDB makes a stream's rows: which member of a body its records
// are, "" for the body itself, what they hold, and the columns in the order of
// the table.
type query struct{ list, reads, columns, rest string }

// lines reads what writeLines wrote.
func (q query) lines(dir string) string {
	return fmt.Sprintf("read_json('%s/*.ndjson', format = 'newline_delimited', columns = {user_id: 'VARCHAR', %s})", dir, q.reads)
}

// bodies reads what writeBodies wrote.
func (q query) bodies(dir string) string {
	const user = "parse_filename(filename, true) AS user_id"
	if q.list == "" {
		return fmt.Sprintf("(SELECT * EXCLUDE (filename), %s FROM read_json('%s/*.json', format = 'array', filename = true, columns = {%s}))", user, dir, q.reads)
	}
	record := strings.NewReplacer(": '", " ", "'", "").Replace(q.reads)
	return fmt.Sprintf(`(SELECT record.*, user_id FROM (SELECT unnest(%s) AS record, %s
		FROM read_json('%s/*.json', format = 'unstructured', filename = true, columns = {%s: 'STRUCT(%s)[]'})))`, q.list, user, dir, q.list, record)
}

var queries = map[config.Stream]query{
	config.StreamTransactions: {
		reads: `transactionId: 'VARCHAR', accountId: 'VARCHAR', amount: 'DECIMAL(18,4)', currency: 'VARCHAR', bookingDate: 'DATE',
			valueDate: 'DATE', bookingText: 'VARCHAR', purpose: 'VARCHAR', merchantCategoryCode: 'VARCHAR',
			paymentPartner: 'STRUCT(name VARCHAR, iban VARCHAR, bic VARCHAR, creditorId VARCHAR, mandateReference VARCHAR)', tags: 'VARCHAR[]'`,
		columns: `accountId AS account_id, transactionId AS transaction_id, amount, currency, bookingDate AS booking_date,
			valueDate AS value_date, bookingText AS booking_text, purpose, merchantCategoryCode AS merchant_category_code,
			paymentPartner.name AS partner_name, paymentPartner.iban AS partner_iban, paymentPartner.bic AS partner_bic,
			paymentPartner.creditorId AS partner_creditor_id, paymentPartner.mandateReference AS partner_mandate_reference, tags`,
	},
	config.StreamCategorization: {
		list:    "categorization",
		reads:   `transactionId: 'VARCHAR', accountId: 'VARCHAR', tags: 'VARCHAR[]'`,
		columns: `accountId AS account_id, transactionId AS transaction_id, unnest(tags) AS tag`,
	},
	config.StreamContracts: {
		reads: `contractId: 'VARCHAR', contractPartner: 'JSON', amount: 'DECIMAL(18,4)', amountConsistency: 'VARCHAR',
			"interval": 'VARCHAR', duration: 'VARCHAR', category: 'VARCHAR', tags: 'VARCHAR[]', nextBookingDate: 'DATE',
			nextBookingRange: 'DATE[]', mref: 'VARCHAR', isActive: 'BOOLEAN', attributes: 'JSON',
			transactions: 'STRUCT(transactionId VARCHAR)[]'`,
		columns: `contractId AS contract_id, contractPartner->>'id' AS partner_id, contractPartner->>'name' AS partner_name, amount,
			amountConsistency AS amount_consistency, "interval", duration, category, tags, nextBookingDate AS next_booking_date,
			nextBookingRange[1] AS next_booking_from, nextBookingRange[2] AS next_booking_to, mref AS mandate_reference,
			isActive AS is_active, list_transform(transactions, lambda x: x.transactionId) AS transaction_ids,
			contractPartner::VARCHAR AS partner, attributes::VARCHAR AS attributes`,
	},
	config.StreamAccountHistory: {
		list:    "histories",
		reads:   `accountId: 'VARCHAR', currency: 'VARCHAR', balances: 'STRUCT(date DATE, balance DECIMAL(18,4))[]'`,
		columns: `account_id, currency, b.date AS date, b.balance AS balance`,
		rest:    `(SELECT user_id, accountId AS account_id, currency, unnest(balances) AS b FROM %s)`,
	},
}

// meta are the columns that every table ends in. A user's correlation differs
// from those of others, as its id does.
const meta = `'upsert' AS _op, 'full' AS _pull, user_id AS _correlation_id, TIMESTAMPTZ '2026-11-22 02:30:00+00' AS _correlation_at,
	TIMESTAMPTZ '2026-11-22 02:30:00.123456+00' AS _extracted_at, '01JDAAAAAAAAAAAAAAAAAAAAAA' AS _run_id, NULL::VARCHAR AS _extra`

// copyRows lets DuckDB write the rows that the product does, from records that it
// reads from somewhere.
func copyRows(t *testing.T, db *sql.DB, s path.Stream, from, out string, level int) {
	t.Helper()
	q := queries[s.Name]
	if q.rest != "" {
		from = fmt.Sprintf(q.rest, from)
	}
	execute(t, db, fmt.Sprintf("COPY (SELECT user_id, %s, %s FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL %d)",
		q.columns, meta, from, out, level))
}
