package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tolerant reads answers as nights of real data demand it, in the simplest
// way, and shares no code with what it is compared with. It reads everything
// in full: what is read in part is the business of those who do so.
type tolerant struct {
	*client
	rows map[string]map[string][]row // by table and key: what an answer held under it
}

// layout is how a table's records are read: columns by field and kind, fields
// that are not compared, and the columns of the key.
type layout struct {
	columns string // field:column:kind
	dropped string
	key     []string
}

var layouts = map[string]layout{
	"users": {
		"id:user_id:text customUserID:custom_user_id:text name:name:text type:type:text tenant:tenant:text createdAt:created_at:moment duplicates:duplicates:list userScopes:user_scopes:list",
		"",
		[]string{"user_id"},
	},
	"bank_logins": {
		"bankLoginId:bank_login_id:text status:status:text lastSynchronization:last_synchronization:moment", "active", []string{"user_id", "bank_login_id"},
	},
	"accounts": {
		"accountId:account_id:text name:name:text owner:owner:text bankCode:bank_code:text balance:balance:money currency:currency:text",
		"accountNumber type iban bic bankName status bankLoginId",
		[]string{"user_id", "account_id"},
	},
	"transactions": {
		"transactionId:transaction_id:text accountId:account_id:text amount:amount:money currency:currency:text bookingDate:booking_date:date valueDate:value_date:date bookingText:booking_text:text purpose:purpose:text tags:tags:list",
		"merchantCategoryCode",
		[]string{"user_id", "account_id", "transaction_id"},
	},
	"categorization": {
		"transactionId:transaction_id:text accountId:account_id:key", "", []string{"user_id", "account_id", "transaction_id", "tag"},
	},
	"contracts": {
		"contractId:contract_id:text id:contract_id:text amount:amount:money nextBookingDate:next_booking_date:date category:category:text",
		"contractPartner amountConsistency interval duration tags nextBookingRange mref isActive attributes transactions",
		[]string{"user_id", "contract_id"},
	},
	"account_history": {
		"date:date:date balance:balance:money", "", []string{"user_id", "account_id", "currency", "date"},
	},
}

// take reads a record into a row; what cannot be read stays in _extra, under its
// path.
func (r tolerant) take(table string, rec map[string]any, known row) {
	l, got := layouts[table], maps.Clone(known)
	for col := range strings.FieldsSeq(l.columns) {
		name, rest, _ := strings.Cut(col, ":")
		column, kind, _ := strings.Cut(rest, ":")
		at, v := find(rec, name)
		if at == "" && got[column] != nil {
			continue
		}
		read, kept := understand(kind, v)
		got[column] = read
		if !kept || read != nil {
			delete(rec, at)
		}
		if kept && read != nil {
			rec[name] = v // under the name that is documented
		}
	}
	for name := range strings.FieldsSeq(l.dropped) {
		at, _ := find(rec, name)
		delete(rec, at)
	}
	if _, partner := find(rec, "paymentPartner"); partner != nil {
		for _, name := range []string{"name", "iban", "bic", "creditorId", "mandateReference"} {
			at, _ := find(as[map[string]any](partner), name)
			delete(as[map[string]any](partner), at)
		}
		at, _ := find(rec, "paymentPartner")
		delete(rec, at)
		if left := as[map[string]any](partner); len(left) > 0 {
			rec["paymentPartner"] = left
		}
	}
	if dropUnknown(rec); table == "account_history" && len(rec) > 0 {
		rec = map[string]any{"balances": rec}
	}
	extra, err := render(rec)
	if err != nil {
		r.Fatal(err)
	}
	if extra, err = CanonicalExtra(table, extra); err != nil {
		r.Fatal(err)
	}
	if got["_extra"] = any(nil); extra != "" {
		got["_extra"] = extra
	}
	r.rows[table][keyOf(l, got)] = append(r.rows[table][keyOf(l, got)], got)
}

func keyOf(l layout, r row) string {
	var key strings.Builder
	for _, column := range l.key {
		fmt.Fprint(&key, r[column], "|")
	}
	return key.String()
}

func find(rec map[string]any, name string) (string, any) {
	for at, v := range rec {
		if strings.EqualFold(at, name) {
			return at, v
		}
	}
	return "", nil
}

var aDay = regexp.MustCompile(`^\d{4}-\d\d-\d\d([Tt][0-9:.]+)?([Zz]|[+-]\d\d:\d\d)?$`)

// understand is what can be read of a value, and whether its spelling is kept.
func understand(kind string, v any) (read any, kept bool) {
	if v == nil || v == "" {
		if kind == "key" {
			return "", false
		}
		return nil, false
	}
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	items, isList := v.([]any)
	switch {
	case kind == "list" && isList:
		return labels(items), false
	case (kind == "text" || kind == "key") && isText:
		return strings.ReplaceAll(text, "\x00", "\uFFFD"), false
	case kind == "text" && isNumber:
		return number.String(), false
	case kind == "date" && isText && aDay.MatchString(text):
		if _, err := time.Parse(time.DateOnly, text[:10]); err == nil {
			return Date(text[:10]), false
		}
	case kind == "moment" && isText:
		if at, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
			return at.UTC().Truncate(time.Microsecond), false
		}
	case kind == "money" && (isText || isNumber):
		if n, exact := new(big.Rat).SetString(text + number.String()); exact {
			four := n.FloatString(4)
			back, _ := new(big.Rat).SetString(four)
			return Decimal(four), back.Cmp(n) != 0
		}
	}
	return nil, true
}

func labels(items []any) []string {
	out := []string{}
	for _, e := range items {
		if o, isObject := e.(map[string]any); isObject {
			_, id := find(o, "id")
			if _, name := find(o, "name"); id == nil {
				id = name
			}
			e = id
		}
		out = append(out, as[string](e))
	}
	return out
}

// list reads the records of an answer; false where it is refused.
func (r tolerant) list(path, field string) ([]map[string]any, bool) {
	status, body := r.get(path)
	if status == http.StatusNotFound || status == http.StatusForbidden {
		return nil, false
	}
	if status != http.StatusOK && status != http.StatusNoContent {
		r.Fatalf("%s: %d %s", path, status, body)
	}
	body = []byte(strings.TrimPrefix(string(body), "\xef\xbb\xbf"))
	if len(body) == 0 {
		return nil, true
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		r.Fatalf("%s: %v in %.200s", path, err, body)
	}
	if o, isObject := v.(map[string]any); isObject {
		_, v = find(o, field)
	}
	items, _ := v.([]any)
	records := []map[string]any{}
	for _, e := range items {
		if rec, isRecord := e.(map[string]any); isRecord {
			records = append(records, rec)
		}
	}
	return records, true
}

// read reads everything; what is told of earlier days is kept in history.
func (r tolerant) read() {
	for table := range layouts {
		if table != "account_history" {
			r.rows[table] = map[string][]row{}
		}
	}
	users, _ := r.list("/users", "users")
	for _, u := range users {
		id, isID := u["id"].(string)
		if n, isNumber := u["id"].(json.Number); isNumber {
			id, isID = n.String(), true
		}
		for name, v := range u {
			if s, isText := v.(string); isText && strings.EqualFold(name, "id") {
				id, isID = s, true
			} else if n, isNumber := v.(json.Number); isNumber && strings.EqualFold(name, "id") {
				id, isID = n.String(), true
			}
		}
		if !isID || len(id) > 1024 || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' }) {
			continue
		}
		r.take("users", u, row{})
		r.user("/users/"+url.PathEscape(id), id)
	}
}

func (r tolerant) user(path, id string) {
	known := row{"user_id": id}
	for table, at := range map[string]string{
		"bank_logins": "/banking/logins", "accounts": "/banking/accounts", "transactions": "/banking/transactions", "contracts": "/contracts",
	} {
		records, _ := r.list(path+at, "accounts")
		for _, rec := range records {
			r.take(table, rec, known)
		}
	}
	entries, _ := r.list(path+"/categorization", "categorization")
	for _, e := range entries {
		at, tags := find(e, "tags")
		delete(e, at)
		list, _ := tags.([]any)
		for _, tag := range labels(list) {
			r.take("categorization", maps.Clone(e), row{"user_id": id, "tag": tag})
		}
	}
	histories, _ := r.list(path+"/account-history", "histories")
	fresh := map[string]bool{}
	for _, h := range histories {
		_, account := find(h, "accountId")
		_, currency := find(h, "currency")
		if currency == nil {
			currency = ""
		}
		_, balances := find(h, "balances")
		for _, b := range as[[]any](balances) {
			point := as[map[string]any](b)
			_, date := find(point, "date")
			own := row{"user_id": id, "account_id": account, "currency": currency}
			key := fmt.Sprint(id, "|", account, "|", currency, "|", as[string](date)[:10], "|")
			if !fresh[key] { // what an earlier answer said is replaced
				delete(r.rows["account_history"], key)
				fresh[key] = true
			}
			r.take("account_history", point, own)
		}
	}
}

// compare holds what was read against the truth.
func (r tolerant) compare(what string) {
	r.Helper()
	for table, l := range layouts {
		var columns []string
		for col := range strings.FieldsSeq(l.columns) {
			columns = append(columns, strings.Split(col, ":")[1])
		}
		columns = append(columns, append(l.key, "_extra")...)
		short := func(full map[string]any) row {
			out := row{}
			for _, c := range columns {
				out[c] = full[c]
			}
			return out
		}
		left := maps.Clone(r.rows[table])
		for full := range r.s.Truth(table) {
			want := []row{short(full)}
			for _, other := range r.s.Alternatives(table, full) {
				want = append(want, short(other))
			}
			got := left[keyOf(l, want[0])]
			delete(left, keyOf(l, want[0]))
			if len(got) == 0 && table == "account_history" {
				continue // of an account that is closed, or not asked about
			}
			if len(got) == 0 {
				r.Fatalf("%s: %s: not read: %v", what, table, want[0])
			}
			for _, g := range got {
				if !slices.ContainsFunc(want, func(w row) bool { return same(w, g) }) {
					r.Fatalf("%s: %s: truth (-), read (+):\n%s", what, table, cmp.Diff(want[0], g))
				}
			}
		}
		for key := range left {
			r.Fatalf("%s: %s: not in the truth: %.300v", what, table, left[key])
		}
	}
}

// truthful are readings that change what is true, or how it is written; the
// others change only what it takes to read it.
var truthful = []string{
	"odd_users", "user_ids", "turnover", "user_scopes", "correlation_ids", "services", "first_analysis", "removed_tags", "transaction_ids", "pending",
	"dates", "amounts", "texts", "types", "casing", "bom", "order", "repeats", "empty", "history", "tag_accounts",
}

// slowly are those of them that show from the second night on.
var slowly = []string{"turnover", "services", "first_analysis", "removed_tags", "pending", "order"}

func truthHolds(t *testing.T, readings Readings, nights int) {
	t.Helper()
	s, err := New(Options{Users: 2, Seed: 11, CategorizationPageSize: 10_000, Readings: readings, Nightly: Odds{Analysed: 0.6, Gone: -1, Joined: -1}})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{T: t, s: s, http: &http.Client{Transport: s.Transport()}}
	c.token = s.token(0, time.Now().Add(tokenLife))
	r := tolerant{c, map[string]map[string][]row{"account_history": {}}}
	for night := range nights {
		if readings.Turnover != "" {
			r.rows["account_history"] = map[string][]row{}
		}
		r.read()
		r.compare(fmt.Sprintf("%s, night %d", readings, night))
		s.Night()
	}
}

func TestTheTruthIsWhatIsAnsweredUnderEachReading(t *testing.T) {
	t.Parallel()
	n := 0
	for _, reading := range AllReadings() {
		if !slices.Contains(truthful, reading.Name) {
			continue
		}
		for _, value := range reading.Values[1:] {
			if n++; underRace && n%6 != 0 {
				continue // ten times slower; all of them are tried without it
			}
			t.Run(reading.Name+"="+value, func(t *testing.T) {
				t.Parallel()
				nights := 1
				if slices.Contains(slowly, reading.Name) {
					nights = 2
				}
				truthHolds(t, parsed(t, reading.Name+"="+value), nights)
			})
		}
	}
}

func TestTheTruthIsWhatIsAnsweredUnderMixtures(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if testing.Short() || underRace {
		seeds = 4
	}
	for seed := range seeds {
		var mixture Readings
		full := MixReadings(seed, 0.4)
		for _, d := range allReadings() {
			if slices.Contains(truthful, d.name) {
				*d.at(&mixture) = *d.at(&full)
			}
		}
		t.Run(mixture.String(), func(t *testing.T) {
			t.Parallel()
			truthHolds(t, mixture, 2)
		})
	}
}
