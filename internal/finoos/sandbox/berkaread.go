package sandbox

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// readBerka reads the tables of a folder that the simulation needs.
func readBerka(o *Options, seed dice, ids userIDs) (*berka, error) {
	b := &berka{seed: seed, ids: ids, opts: o, accounts: map[string]*berkaAccount{}}
	t := tablesOf(o.Data)
	defer t.close()
	b.readAccounts(t)
	b.readClients(t)
	if t.err != nil {
		return nil, t.err
	}
	if o.Users > 0 && o.Users < len(b.clients) {
		b.clients = b.clients[:o.Users]
	}
	if len(b.clients) == 0 {
		return nil, errors.New("no client has an account with transactions")
	}
	b.start = dayOf(o.Today)
	if o.Today.IsZero() {
		b.start = berkaEnd - day(o.HoldBack)
	}
	return b, nil
}

func (b *berka) readAccounts(t *tableReader) {
	t.read("account", func(r record) {
		b.accounts[r("account_id")] = &berkaAccount{id: r("account_id"), opened: t.day(r("opened"))}
	})
	t.read("transaction", func(r record) {
		row := berkaRow{
			day: t.day(r("date")), id: r("trans_id"), kind: r("type"), operation: r("operation"), symbol: r("k_symbol"),
			bank: r("partner_bank"), number: r("partner_account"), cents: t.cents(r("amount")),
		}
		if row.kind != "PRIJEM" {
			row.cents = -row.cents
		}
		if a := b.accounts[r("account_id")]; a != nil {
			a.rows = append(a.rows, row)
		}
	})
	t.read("balance_eod", func(r record) {
		if a := b.accounts[r("account_id")]; a != nil {
			a.eod = append(a.eod, endOfDay{t.day(r("date")), t.cents(r("balance"))})
		}
	})
	t.read("order", func(r record) {
		if a := b.accounts[r("account_id")]; a != nil {
			a.orders = append(a.orders, berkaOrder{r("order_id"), r("bank_to"), r("account_to"), r("k_symbol"), t.cents(r("amount"))})
		}
	})
}

func (b *berka) readClients(t *tableReader) {
	known := map[string]*berkaClient{}
	t.read("client", func(r record) {
		c := &berkaClient{id: r("client_id"), born: r("birth_date")}
		known[c.id] = c
		b.clients = append(b.clients, c)
	})
	t.read("disp", func(r record) {
		c, a := known[r("client_id")], b.accounts[r("account_id")]
		if c != nil && a != nil && len(a.rows) > 0 {
			c.accounts = append(c.accounts, a)
		}
	})
	b.clients = slices.DeleteFunc(b.clients, func(c *berkaClient) bool { return len(c.accounts) == 0 })
	slices.SortStableFunc(b.clients, func(x, y *berkaClient) int { return x.silent() - y.silent() })
}

// silent orders clients: 0 for those with bookings in the last month, since
// a few users should be some for whom nights bring something; 1 for others.
func (c *berkaClient) silent() int {
	for _, a := range c.accounts {
		if a.rows[len(a.rows)-1].day > berkaEnd-31 {
			return 0
		}
	}
	return 1
}

// tableReader reads gzipped CSV tables of one folder, and keeps the first
// error.
type tableReader struct {
	root  *os.Root
	texts map[string]string // each text once
	err   error
}

// record is one line: column name to text.
type record func(column string) string

func tablesOf(dir string) *tableReader {
	root, err := os.OpenRoot(dir)
	return &tableReader{root: root, texts: map[string]string{}, err: err}
}

func (t *tableReader) close() {
	if t.root != nil {
		t.fail(t.root.Close())
	}
}

func (t *tableReader) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *tableReader) read(table string, each func(record)) {
	if t.err != nil {
		return
	}
	name := table + ".csv.gz"
	f, err := t.root.Open(name)
	if err != nil {
		t.fail(err)
		return
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.fail(fmt.Errorf("%s: %w", name, err))
		return
	}
	if err := t.lines(csv.NewReader(z), each); err != nil {
		t.fail(fmt.Errorf("%s: %w", name, err))
	}
}

func (t *tableReader) lines(c *csv.Reader, each func(record)) error {
	c.ReuseRecord = true
	header, err := c.Read()
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, name := range header {
		at[t.intern(name)] = i
	}
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		each(func(column string) string {
			i, known := at[column]
			if !known {
				t.fail(fmt.Errorf("column %s is missing", column))
				return ""
			}
			return t.intern(fields[i])
		})
	}
}

func (t *tableReader) intern(s string) string {
	if known, ok := t.texts[s]; ok {
		return known
	}
	s = string([]byte(s)) // the reader's line is reused
	t.texts[s] = s
	return s
}

func (t *tableReader) day(text string) day {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.fail(err)
	}
	return dayOf(at)
}

func (t *tableReader) cents(text string) int64 {
	n, err := cents(text)
	if err != nil {
		t.fail(err)
	}
	return n
}
