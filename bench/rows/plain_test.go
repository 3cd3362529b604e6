package rows

import (
	"encoding/json"
	"io"
	"os"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"finoos-syncer/bench/rows/path"
	"finoos-syncer/internal/jobs/config"
)

// plainly is the program that one writes first: encoding/json into structs,
// one record at a time, a record builder, and the Parquet writer as it comes.
type plainly struct {
	t     *testing.T
	build *array.RecordBuilder
	out   *pqarrow.FileWriter
	user  string
	rows  int
	col   int
}

const plainBatch = 64 << 10 // rows

func plain(t *testing.T, b *path.Bodies, out string) {
	t.Helper()
	file, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema(append(plainColumns[b.Name], plainMeta...), nil)
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd))
	writer, err := pqarrow.NewFileWriter(schema, file, props, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	p := &plainly{t: t, build: array.NewRecordBuilder(memory.DefaultAllocator, schema), out: writer}
	for i, body := range b.ByUser {
		p.user = b.Users[i]
		p.body(b.Name, body)
	}
	p.flush()
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}

func (p *plainly) body(s config.Stream, body *io.SectionReader) {
	dec := json.NewDecoder(io.NewSectionReader(body, 0, body.Size()))
	for {
		token, err := dec.Token()
		if err != nil {
			p.t.Fatal(err)
		}
		if token == json.Delim('[') {
			break
		}
	}
	for dec.More() {
		switch s {
		case config.StreamTransactions:
			decodePlain(p, dec, (*plainly).transaction)
		case config.StreamCategorization:
			decodePlain(p, dec, (*plainly).categorization)
		case config.StreamContracts:
			decodePlain(p, dec, (*plainly).contract)
		default:
			decodePlain(p, dec, (*plainly).history)
		}
	}
}

func decodePlain[T any](p *plainly, dec *json.Decoder, add func(*plainly, *T)) {
	var record T
	if err := dec.Decode(&record); err != nil {
		p.t.Fatal(err)
	}
	add(p, &record)
}

func (p *plainly) flush() {
	record := p.build.NewRecord()
	defer record.Release()
	if err := p.out.Write(record); err != nil {
		p.t.Fatal(err)
	}
	p.rows = 0
}

var (
	plainMoney = &arrow.Decimal128Type{Precision: 18, Scale: 4}
	plainTime  = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	plainMeta  = fieldsOf(arrow.BinaryTypes.String, "_op", "_pull", "_correlation_id", plainTime, "_correlation_at", "_extracted_at",
		arrow.BinaryTypes.String, "_run_id", "_extra")
	plainColumns = map[config.Stream][]arrow.Field{
		config.StreamTransactions: fieldsOf(arrow.BinaryTypes.String, "user_id", "account_id", "transaction_id", plainMoney, "amount",
			arrow.BinaryTypes.String, "currency", arrow.FixedWidthTypes.Date32, "booking_date", "value_date",
			arrow.BinaryTypes.String, "booking_text", "purpose", "merchant_category_code", "partner_name", "partner_iban", "partner_bic",
			"partner_creditor_id", "partner_mandate_reference", arrow.ListOf(arrow.BinaryTypes.String), "tags"),
		config.StreamCategorization: fieldsOf(arrow.BinaryTypes.String, "user_id", "account_id", "transaction_id", "tag"),
		config.StreamContracts: fieldsOf(arrow.BinaryTypes.String, "user_id", "contract_id", "partner_id", "partner_name", plainMoney, "amount",
			arrow.BinaryTypes.String, "amount_consistency", "interval", "duration", "category", arrow.ListOf(arrow.BinaryTypes.String), "tags",
			arrow.FixedWidthTypes.Date32, "next_booking_date", "next_booking_from", "next_booking_to",
			arrow.BinaryTypes.String, "mandate_reference", arrow.FixedWidthTypes.Boolean, "is_active",
			arrow.ListOf(arrow.BinaryTypes.String), "transaction_ids", arrow.BinaryTypes.String, "partner", "attributes"),
		config.StreamAccountHistory: fieldsOf(arrow.BinaryTypes.String, "user_id", "account_id", "currency",
			arrow.FixedWidthTypes.Date32, "date", plainMoney, "balance"),
	}
)

// fieldsOf lists fields: a type, and the names that have it.
func fieldsOf(typed ...any) (fields []arrow.Field) {
	var current arrow.DataType
	for _, v := range typed {
		switch v := v.(type) {
		case arrow.DataType:
			current = v
		case string:
			fields = append(fields, arrow.Field{Name: v, Type: current, Nullable: true})
		}
	}
	return fields
}

type plainTransaction struct {
	TransactionID, AccountID, Currency, BookingDate, ValueDate, BookingText, Purpose, MerchantCategoryCode string

	Amount         json.Number
	PaymentPartner struct{ Name, IBAN, BIC, CreditorID, MandateReference string }
	Tags           []string
}

func (p *plainly) transaction(t *plainTransaction) {
	p.row(p.user, t.AccountID, t.TransactionID, t.Amount, t.Currency, day(t.BookingDate), day(t.ValueDate), t.BookingText, t.Purpose,
		t.MerchantCategoryCode, t.PaymentPartner.Name, t.PaymentPartner.IBAN, t.PaymentPartner.BIC, t.PaymentPartner.CreditorID,
		t.PaymentPartner.MandateReference, t.Tags)
}

type plainCategorization struct {
	TransactionID, AccountID string
	Tags                     []string
}

func (p *plainly) categorization(c *plainCategorization) {
	for _, tag := range c.Tags {
		p.row(p.user, c.AccountID, c.TransactionID, tag)
	}
}

type plainContract struct {
	ContractID, AmountConsistency, Interval, Duration, Category, NextBookingDate, MRef string

	ContractPartner, Attributes json.RawMessage
	Amount                      json.Number
	Tags, NextBookingRange      []string
	IsActive                    *bool
	Transactions                []struct{ TransactionID string }
}

type plainPartner struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *plainly) contract(c *plainContract) {
	var partner plainPartner
	if err := json.Unmarshal(c.ContractPartner, &partner); err != nil {
		p.t.Fatal(err)
	}
	ids := make([]string, len(c.Transactions))
	for i, t := range c.Transactions {
		ids[i] = t.TransactionID
	}
	from, to := "", ""
	if len(c.NextBookingRange) == 2 {
		from, to = c.NextBookingRange[0], c.NextBookingRange[1]
	}
	p.row(p.user, c.ContractID, partner.ID, partner.Name, c.Amount, c.AmountConsistency, c.Interval, c.Duration, c.Category, c.Tags,
		day(c.NextBookingDate), day(from), day(to), c.MRef, c.IsActive, ids, string(c.ContractPartner), string(c.Attributes))
}

type plainHistory struct {
	AccountID, Currency string
	Balances            []struct {
		Date    string
		Balance json.Number
	}
}

func (p *plainly) history(h *plainHistory) {
	for _, b := range h.Balances {
		p.row(p.user, h.AccountID, h.Currency, day(b.Date), b.Balance)
	}
}

type day string

// row appends a row and the columns that all tables end in.
func (p *plainly) row(values ...any) {
	at := time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)
	p.col = 0
	for _, v := range append(values, "upsert", "full", p.user, at, at, "01JDAAAAAAAAAAAAAAAAAAAAAA", "") {
		p.add(p.build.Field(p.col), v)
		p.col++
	}
	if p.rows++; p.rows == plainBatch {
		p.flush()
	}
}

func (p *plainly) add(to array.Builder, v any) {
	switch to := to.(type) {
	case *array.StringBuilder:
		if s, _ := v.(string); s != "" {
			to.Append(s)
			return
		}
	case *array.Decimal128Builder:
		if n, _ := v.(json.Number); n != "" {
			d, err := decimal128.FromString(string(n), 18, 4)
			if err != nil {
				p.t.Fatal(err)
			}
			to.Append(d)
			return
		}
	case *array.Date32Builder:
		if d, _ := v.(day); d != "" {
			at, err := time.Parse(time.DateOnly, string(d)[:10])
			if err != nil {
				p.t.Fatal(err)
			}
			to.Append(arrow.Date32FromTime(at))
			return
		}
	case *array.TimestampBuilder:
		if at, ok := v.(time.Time); ok {
			to.Append(arrow.Timestamp(at.UnixMicro()))
			return
		}
	case *array.BooleanBuilder:
		if b, _ := v.(*bool); b != nil {
			to.Append(*b)
			return
		}
	case *array.ListBuilder:
		if list, _ := v.([]string); list != nil {
			to.Append(true)
			for _, s := range list {
				to.ValueBuilder().(*array.StringBuilder).Append(s) //nolint:errcheck // it is a list of strings
			}
			return
		}
	}
	to.AppendNull()
}
