package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func centsOf(t *testing.T, n json.Number) int64 {
	t.Helper()
	whole, part, found := strings.Cut(n.String(), ".")
	if !found || len(part) != 2 {
		t.Fatalf("%s has not two decimals", n)
	}
	v, err := strconv.ParseInt(whole+part, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

type ledgerView struct {
	balance map[string]int64            // by account
	booked  map[string]map[string]int64 // by account and day
	days    map[string][]string         // by account, ascending
	history map[string]map[string]int64
	kind    map[string]string
}

func readLedger(c *client, id string) ledgerView {
	v := ledgerView{map[string]int64{}, map[string]map[string]int64{}, map[string][]string{}, map[string]map[string]int64{}, map[string]string{}}
	var accounts struct {
		Accounts []struct {
			AccountID, Type string
			Balance         json.Number
		}
	}
	var bookings []struct {
		AccountID, BookingDate string
		Amount                 json.Number
	}
	var history struct {
		Histories []struct {
			AccountID string
			Balances  []struct {
				Date    string
				Balance json.Number
			}
		}
	}
	c.read("/users/"+id+"/banking/accounts", &accounts)
	c.read("/users/"+id+"/banking/transactions", &bookings)
	c.read("/users/"+id+"/account-history", &history)
	for _, a := range accounts.Accounts {
		v.kind[a.AccountID] = a.Type
		if a.Balance != "" {
			v.balance[a.AccountID] = centsOf(c.T, a.Balance)
		}
		v.booked[a.AccountID] = map[string]int64{}
	}
	for _, t := range bookings {
		v.booked[t.AccountID][t.BookingDate] += centsOf(c.T, t.Amount)
	}
	for _, h := range history.Histories {
		v.history[h.AccountID] = map[string]int64{}
		for _, b := range h.Balances {
			v.days[h.AccountID] = append(v.days[h.AccountID], b.Date)
			v.history[h.AccountID][b.Date] = centsOf(c.T, b.Balance)
		}
	}
	return v
}

func TestDailyBalancesFollowFromTheBookings(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 12, Seed: 21, Plain: true})
	for i := range 12 {
		v := readLedger(c, c.s.UserID(i))
		for account, days := range v.days {
			if len(days) > 730 || v.kind[account] == "GIRO" && len(days) != 730 {
				t.Errorf("user %d: %d days of history", i, len(days))
			}
			if last := v.history[account][days[len(days)-1]]; last != v.balance[account] {
				t.Errorf("user %d, %s: the history ends in %d, the balance is %d", i, v.kind[account], last, v.balance[account])
			}
			if v.kind[account] == "DEPOT" {
				continue // follows the market
			}
			for k := 1; k < len(days); k++ {
				if moved := v.history[account][days[k]] - v.history[account][days[k-1]]; moved != v.booked[account][days[k]] {
					t.Fatalf("user %d, %s: on %s the balance moves by %d, the bookings by %d", i, v.kind[account], days[k], moved, v.booked[account][days[k]])
				}
			}
		}
	}
}

func TestCorrectionsLeaveTheBalanceAlone(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 10, Seed: 22, Plain: true, Nightly: Odds{Analysed: 0.9, Gone: -1, Login: -1}})
	for range 6 {
		c.s.Night()
	}
	corrected := 0
	for i := range 10 {
		v := readLedger(c, c.s.UserID(i))
		for account, days := range v.days {
			if v.kind[account] == "DEPOT" {
				continue
			}
			off := int64(0) // what counts already, but is booked later
			for k := 1; k < len(days); k++ {
				moved := v.history[account][days[k]] - v.history[account][days[k-1]]
				off += moved - v.booked[account][days[k]]
				if off != 0 {
					corrected++
				}
			}
			if off != 0 || v.history[account][days[len(days)-1]] != v.balance[account] {
				t.Errorf("user %d, %s: the balance is off by %d", i, v.kind[account], off)
			}
		}
	}
	if corrected == 0 {
		t.Error("no balance was ever corrected")
	}
}

func TestPeopleAreBelievable(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 40, Seed: 1})
	kinds, negative, umlauts := map[string]int{}, 0, 0
	var texts strings.Builder
	for i := range 40 {
		id := c.s.UserID(i)
		for a := range c.s.TruthUser("accounts", id) {
			kinds[as[string](a["type"])]++
			if s, known := a["iban"].(string); known && mod97(s[4:]+s[:4]) != 1 {
				t.Errorf("%s is no valid IBAN", s)
			}
		}
		for h := range c.s.TruthUser("account_history", id) {
			if strings.HasPrefix(string(as[Decimal](h["balance"])), "-") {
				negative++
			}
		}
		for b := range c.s.TruthUser("transactions", id) {
			purpose, _ := b["purpose"].(string)
			texts.WriteString(purpose + "\n")
			if s, known := b["partner_creditor_id"].(string); known && mod97(s[7:]+s[:4]) != 1 {
				t.Errorf("%s is no valid creditor id", s)
			}
			if strings.ContainsAny(purpose, "äöüß") {
				umlauts++
			}
		}
	}
	for _, want := range []string{"GIRO", "TAGESGELD", "KREDIT_KARTE", "DEPOT", "KREDITDARLEHEN"} {
		if kinds[want] == 0 {
			t.Errorf("nobody has a %s: %v", want, kinds)
		}
	}
	for _, want := range []string{"Lohn/Gehalt", "Miete", "Grüße", "Streaming", "Rente", "USt-VA"} {
		if !strings.Contains(texts.String(), want) {
			t.Errorf("no purpose has %q", want)
		}
	}
	if negative == 0 || umlauts == 0 {
		t.Errorf("%d days in the red, %d umlauts", negative, umlauts)
	}
}

func TestSubscriptionsStartAndStop(t *testing.T) {
	t.Parallel()
	c := setup(t, Options{Users: 30, Seed: 4})
	active := map[bool]int{}
	for r := range c.s.Truth("contracts") {
		active[as[bool](r["is_active"])]++
	}
	if active[true] == 0 || active[false] == 0 {
		t.Errorf("contracts, active or not: %v", active)
	}
}
