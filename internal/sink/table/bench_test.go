package table

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bankDay yields transactions as a first night's full pulls do: 60 in a row
// for each user, ids that never repeat, texts that are half free, half not.
func bankDay(n int) []*Transaction {
	rng := rand.New(rand.NewPCG(1, 2))
	hex := func(digits int) string {
		var b strings.Builder
		for range digits {
			b.WriteByte("0123456789abcdef"[rng.IntN(16)])
		}
		return b.String()
	}
	partners := make([]Transaction, 4000)
	for i := range partners {
		partners[i] = Transaction{
			PartnerName: "Händler " + hex(8), PartnerIBAN: "DE" + fmt.Sprintf("%020d", rng.Int64N(1e18)),
			PartnerBIC: "BYLADEM1" + strings.ToUpper(hex(3)), PartnerCreditorID: "DE98ZZZ" + hex(11),
			MerchantCategoryCode: strconv.Itoa(5000 + rng.IntN(400)),
		}
	}
	words := strings.Fields("Rechnung Kundennummer Vielen Dank Ihr Einkauf EREF SVWZ Miete Abschlag Strom Gehalt Lastschrift Überweisung Beitrag")
	texts := []string{"SEPA-Lastschrift", "SEPA-Überweisung", "Kartenzahlung", "Dauerauftrag", "Gehalt/Rente"}
	tags := []string{"groceries", "rent", "salary", "insurance", "mobility", "leisure", "subscription", "energy"}
	rows := make([]*Transaction, 0, n)
	var user, account, correlation string
	var at time.Time
	for i := range n {
		if i%60 == 0 {
			user, account, correlation = hex(32), hex(32), hex(32)
			at = time.Date(2026, 11, 22, 2, 30, 0, rng.IntN(1e9), time.UTC)
		}
		r := partners[rng.IntN(len(partners))]
		r.UserID, r.AccountID, r.TransactionID = user, account, hex(32)
		r.Amount = Decimal{Units: int64(rng.NormFloat64() * 500_000), Valid: true}
		r.Currency = "EUR"
		r.BookingDate = Date{Days: 20000 + int32(i%60)*12, Valid: true}
		r.ValueDate = r.BookingDate
		r.BookingText = texts[rng.IntN(len(texts))]
		var purpose strings.Builder
		for range 6 + rng.IntN(8) {
			purpose.WriteString(words[rng.IntN(len(words))] + " ")
		}
		r.Purpose = purpose.String() + hex(24)
		if i%3 == 0 {
			r.PartnerMandateReference = hex(16)
			r.Tags = []string{tags[rng.IntN(len(tags))], tags[rng.IntN(len(tags))]}
		}
		r.Meta = Meta{Op: Upsert, Pull: Full, CorrelationID: correlation, CorrelationAt: at.Add(-time.Hour), ExtractedAt: at}
		rows = append(rows, &r)
	}
	return rows
}

func BenchmarkAppendTransactions(b *testing.B) {
	rows := bankDay(100_000)
	for _, compression := range []string{"none", "snappy", "zstd:1", "zstd:3"} {
		b.Run(compression, func(b *testing.B) {
			f, err := NewFile(transactionsTable, io.Discard, FileOptions{RunID: "01JD", Compression: compression})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := f.Append(rows[n%len(rows)]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			if err := f.Flush(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(f.Size())/float64(n), "file-B/row")
		})
	}
}
