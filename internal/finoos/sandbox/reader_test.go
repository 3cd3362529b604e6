package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lake is what a reader of the API makes of it, by table, user and key. It
// follows the rules of the tables in the simplest way, and shares no code with
// what it is compared with.
type lake map[string]map[string]map[string]row

// reader reads night after night as an exporter would: in full the first
// time, then only what the API says has changed.
type reader struct {
	*client
	lake        lake
	correlation map[string]string // by user: of the last categorization read
	newest      map[string]map[string]string
}

func newReader(c *client) *reader {
	r := &reader{client: c, lake: lake{}, correlation: map[string]string{}, newest: map[string]map[string]string{}}
	for table := range tables {
		r.lake[table] = map[string]map[string]row{}
	}
	return r
}

// field takes a field out of a record, whatever its spelling; "" counts as null.
func field(record map[string]any, names ...string) any {
	for name, v := range record {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			delete(record, name)
			if v == "" {
				return nil
			}
			return v
		}
	}
	return nil
}

// as is v, which must be a T: anything else is a panic that names both.
func as[T any](v any) T {
	return v.(T) //nolint:errcheck,forcetypeassert // see above
}

func (r *reader) str(record map[string]any, names ...string) any {
	switch v := field(record, names...).(type) {
	case nil:
		return nil
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		r.Fatalf("%v is no text: %v", names, v)
		return nil
	}
}

func (r *reader) money(record map[string]any, name string) any {
	v := field(record, name)
	if v == nil {
		return nil
	}
	n, isNumber := v.(json.Number)
	if _, cents, found := strings.Cut(string(n), "."); !isNumber || !found || len(cents) != 2 {
		r.Fatalf("%s is no amount with two decimals: %v", name, v)
	}
	return Decimal(n + "00")
}

func (r *reader) when(record map[string]any, name string) any {
	s := r.str(record, name)
	if s == nil {
		return nil
	}
	t, err := time.Parse(time.RFC3339, as[string](s))
	if err != nil {
		r.Fatalf("%s: %v", name, err)
	}
	return t.UTC()
}

func (r *reader) date(record map[string]any, name string) any {
	s := r.str(record, name)
	if s == nil {
		return nil
	}
	return r.day(as[string](s))
}

func (r *reader) day(s string) Date {
	if len(s) > 10 {
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			r.Fatal(err)
		}
		s = s[:10]
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		r.Fatal(err)
	}
	return Date(s)
}

// strs reads a list of texts, or of objects of which one field counts.
func (r *reader) strs(record map[string]any, name string, of ...string) any {
	v := field(record, name)
	if v == nil {
		return nil
	}
	list := []string{}
	for _, e := range as[[]any](v) {
		if o, isObject := e.(map[string]any); isObject {
			e = field(o, of...)
		}
		list = append(list, as[string](e))
	}
	return list
}

func (r *reader) json(record map[string]any, name string) any {
	v := field(record, name)
	if v == nil {
		return nil
	}
	text, err := render(v)
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// rest is the _extra of what no column took.
func (r *reader) rest(table string, record map[string]any) any {
	text, err := render(record)
	if err != nil {
		r.Fatal(err)
	}
	if text, err = CanonicalExtra(table, text); err != nil {
		r.Fatal(err)
	}
	if text == "" {
		return nil
	}
	return text
}

func (l lake) put(table string, r row, key ...string) {
	var k strings.Builder
	for _, column := range key {
		fmt.Fprint(&k, r[column], "|")
	}
	user := as[string](r["user_id"])
	if l[table][user] == nil {
		l[table][user] = map[string]row{}
	}
	l[table][user][k.String()] = r
}

func (l lake) drop(table, user string) { delete(l[table], user) }

// pull reads all users; those whose banking correlation is known are skipped.
func (r *reader) pull() {
	r.Helper()
	seen := map[string]bool{}
	for page := 1; ; page++ {
		var got struct{ Users []map[string]any }
		r.read(fmt.Sprintf("/users?page=%d", page), &got)
		if len(got.Users) == 0 {
			break
		}
		for _, u := range got.Users {
			id := as[string](u["id"])
			seen[id] = true
			r.lake.put("users", row{
				"user_id": r.str(u, "id"), "custom_user_id": r.str(u, "customUserID"), "name": r.str(u, "name"), "type": r.str(u, "type"),
				"tenant": r.str(u, "tenant"), "created_at": r.when(u, "createdAt"), "duplicates": r.strs(u, "duplicates"),
				"user_scopes": r.strs(u, "userScopes"), "_extra": r.rest("users", u),
			})
			r.pullLogins(id)
			r.pullUser(id)
		}
	}
	for _, users := range r.lake {
		maps.DeleteFunc(users, func(id string, _ map[string]row) bool { return !seen[id] })
	}
}

func (r *reader) pullLogins(id string) {
	var logins []map[string]any
	r.read("/users/"+id+"/banking/logins", &logins)
	r.lake.drop("bank_logins", id)
	for _, l := range logins {
		r.lake.put("bank_logins", row{
			"user_id": id, "bank_login_id": r.str(l, "bankLoginId"), "status": r.str(l, "status"), "active": field(l, "active"),
			"last_synchronization": r.when(l, "lastSynchronization"), "_extra": r.rest("bank_logins", l),
		}, "bank_login_id")
	}
}

func (r *reader) pullUser(id string) {
	status, body := r.get("/users/" + id + "/categorization/correlation")
	if status == http.StatusNotFound {
		return
	}
	var c struct {
		CorrelationID string `json:"correlationID"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		r.Fatal(err)
	}
	before := r.correlation[id]
	if c.CorrelationID == before {
		return
	}
	grown := r.pullAccounts(id)
	r.pullTransactions(id, grown)
	r.pullTags(id, before)
	r.pullContracts(id)
	r.pullHistory(id)
	r.correlation[id] = c.CorrelationID
}

// pullAccounts tells whether there is an account that was not known.
func (r *reader) pullAccounts(id string) (grown bool) {
	var got struct{ Accounts []map[string]any }
	r.read("/users/"+id+"/banking/accounts", &got)
	known := map[any]bool{}
	for _, row := range r.lake["accounts"][id] {
		known[row["account_id"]] = true
	}
	r.lake.drop("accounts", id)
	for _, a := range got.Accounts {
		record := row{
			"user_id": id, "account_id": r.str(a, "accountId"), "account_number": r.str(a, "accountNumber"), "name": r.str(a, "name"),
			"owner": r.str(a, "owner"), "type": r.str(a, "type"), "iban": r.str(a, "iban"), "bic": r.str(a, "bic"),
			"bank_code": r.str(a, "bankCode"), "bank_name": r.str(a, "bankName"), "currency": r.str(a, "currency"),
			"balance": r.money(a, "balance"), "status": r.str(a, "status"), "bank_login_id": r.str(a, "bankLoginId"),
			"_extra": r.rest("accounts", a),
		}
		grown = grown || !known[record["account_id"]]
		r.lake.put("accounts", record, "account_id")
	}
	return grown
}

// pullTransactions reads the window that a nightly pull reads: ten days back
// from the oldest of the accounts' newest bookings.
func (r *reader) pullTransactions(id string, all bool) {
	path, from := "/users/"+id+"/banking/transactions", Date("")
	if !all {
		oldest := r.s.Now()
		for _, newest := range r.newest[id] {
			if day, _ := time.Parse(time.DateOnly, newest); day.Before(oldest) {
				oldest = day
			}
		}
		if capped := r.s.Now().AddDate(0, 0, -90); oldest.Before(capped) {
			oldest = capped
		}
		from = Date(oldest.AddDate(0, 0, -10).Format(time.DateOnly))
		path += "?since=" + url.QueryEscape(string(from)+"T00:00:00+02:00") // midnight, or an hour before
	}
	var got []map[string]any
	r.read(path, &got)
	maps.DeleteFunc(r.lake["transactions"][id], func(_ string, row row) bool { return as[Date](row["booking_date"]) >= from })
	r.newest[id] = map[string]string{}
	for _, t := range got {
		partner, _ := field(t, "paymentPartner").(map[string]any)
		record := row{
			"user_id": id, "account_id": r.str(t, "accountId"), "transaction_id": r.str(t, "transactionId"),
			"amount": r.money(t, "amount"), "currency": r.str(t, "currency"), "booking_date": r.date(t, "bookingDate"),
			"value_date": r.date(t, "valueDate"), "booking_text": r.str(t, "bookingText"), "purpose": r.str(t, "purpose"),
			"merchant_category_code": r.str(t, "merchantCategoryCode"), "partner_name": r.str(partner, "name"),
			"partner_iban": r.str(partner, "iban"), "partner_bic": r.str(partner, "bic"), "partner_creditor_id": r.str(partner, "creditorId"),
			"partner_mandate_reference": r.str(partner, "mandateReference"), "tags": r.strs(t, "tags"),
		}
		if len(partner) > 0 {
			t["paymentPartner"] = partner
		}
		record["_extra"] = r.rest("transactions", t)
		r.lake.put("transactions", record, "account_id", "transaction_id")
	}
	for _, t := range r.lake["transactions"][id] {
		a := as[string](t["account_id"])
		r.newest[id][a] = max(r.newest[id][a], string(as[Date](t["booking_date"])))
	}
}

// pullTags adds what a diff tells; it takes nothing away.
func (r *reader) pullTags(id, since string) {
	path := "/users/" + id + "/categorization?x=y"
	if since != "" {
		path += "&correlation-id=" + since
	}
	for page := 1; ; page++ {
		var got struct {
			Categorization []map[string]any
			MetaData       struct{ TotalPages int }
		}
		r.read(fmt.Sprintf("%s&page=%d", path, page), &got)
		for _, e := range got.Categorization {
			tx, account := r.str(e, "transactionId"), r.str(e, "accountId")
			tags, _ := r.strs(e, "tags", "id", "name").([]string)
			extra := r.rest("categorization", e)
			for _, tag := range tags {
				r.lake.put("categorization", row{"user_id": id, "account_id": account, "transaction_id": tx, "tag": tag, "_extra": extra}, "account_id", "transaction_id", "tag")
			}
		}
		if page >= got.MetaData.TotalPages {
			return
		}
	}
}

func (r *reader) pullContracts(id string) {
	var got []map[string]any
	r.read("/users/"+id+"/contracts", &got)
	r.lake.drop("contracts", id)
	for _, c := range got {
		partner, _ := c["contractPartner"].(map[string]any)
		from, to := r.span(field(c, "nextBookingRange"))
		record := row{
			"user_id": id, "contract_id": r.str(c, "contractId", "id"), "partner_id": partner["id"], "partner_name": partner["name"],
			"partner": r.json(c, "contractPartner"), "attributes": r.json(c, "attributes"), "amount": r.money(c, "amount"),
			"amount_consistency": r.str(c, "amountConsistency"), "interval": r.str(c, "interval"), "duration": r.str(c, "duration"),
			"category": r.str(c, "category"), "tags": r.strs(c, "tags"), "next_booking_date": r.date(c, "nextBookingDate"),
			"next_booking_from": from, "next_booking_to": to, "mandate_reference": r.str(c, "mref"), "is_active": field(c, "isActive"),
			"transaction_ids": r.strs(c, "transactions", "transactionId"), "_extra": r.rest("contracts", c),
		}
		r.lake.put("contracts", record, "contract_id")
	}
}

func (r *reader) span(v any) (from, to any) {
	switch v := v.(type) {
	case []any:
		return r.day(as[string](v[0])), r.day(as[string](v[1]))
	case map[string]any:
		return r.day(as[string](field(v, "from", "since"))), r.day(as[string](field(v, "to", "until")))
	default:
		return nil, nil
	}
}

// pullHistory adds days, and renews those that are there.
func (r *reader) pullHistory(id string) {
	var got struct{ Histories []map[string]any }
	r.read("/users/"+id+"/account-history", &got)
	for _, h := range got.Histories {
		account, currency := r.str(h, "accountId"), r.str(h, "currency")
		for _, b := range as[[]any](field(h, "balances")) {
			point := as[map[string]any](b)
			r.lake.put("account_history", row{
				"user_id": id, "account_id": account, "date": r.date(point, "date"), "balance": r.money(point, "balance"),
				"currency": currency, "_extra": r.rest("account_history", point),
			}, "account_id", "currency", "date")
		}
	}
}

// compare holds the lake against the truth.
func (r *reader) compare() {
	r.Helper()
	keys := map[string][]string{
		"users": nil, "bank_logins": {"bank_login_id"}, "accounts": {"account_id"}, "transactions": {"account_id", "transaction_id"},
		"categorization": {"account_id", "transaction_id", "tag"}, "contracts": {"contract_id"},
		"account_history": {"account_id", "currency", "date"},
	}
	for table, key := range keys {
		want := lake{table: {}}
		rows := 0
		for t := range r.s.Truth(table) {
			want.put(table, t, key...)
			rows++
		}
		for _, users := range want[table] {
			rows -= len(users)
		}
		if len(want[table]) == 0 || rows != 0 {
			r.Errorf("%s: the truth is empty, or has %d rows twice", table, rows)
		}
		for id := range want[table] {
			if !maps.EqualFunc(want[table][id], r.lake[table][id], same) { // cmp alone is slow on a hundred thousand rows
				r.Fatalf("%s: truth (-), read (+):\n%.3000s", table, cmp.Diff(want[table][id], r.lake[table][id]))
			}
		}
		for id, rows := range r.lake[table] {
			if len(rows) > 0 && want[table][id] == nil {
				r.Errorf("%s: %d rows of %s are not in the truth", table, len(rows), id)
			}
		}
	}
}

func same(a, b row) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool {
		if list, isList := x.([]string); isList {
			other, isList := y.([]string)
			return isList && slices.Equal(list, other) && (list == nil) == (other == nil)
		}
		return x == y
	})
}
