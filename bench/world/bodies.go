package world

import (
	"fmt"
	"strings"
	"time"
)

// accounts that every user has, with a booking a day on each.
const accounts = 2

// bodies are the answers about a user by path. Those of turn 1 have a day, a
// booking, and a contract more, and another balance.
func bodies(turn, days int) map[string]string {
	if days == 0 {
		days = 60
	}
	last := Today.AddDate(0, 0, turn-1)
	first := Today.AddDate(0, 0, -days)
	return map[string]string{
		"banking/logins":       `{"logins":[{"bankLoginId":"login-1","status":"OK","active":true,"lastSynchronization":"2026-11-19T02:00:00Z"}]}`,
		"banking/accounts":     `{"accounts":[` + accountList(turn) + `]}`,
		"banking/transactions": `{"transactions":[` + each(first, last, booking) + `]}`,
		"categorization":       `{"categorization":[` + each(first, last, category) + `]}`,
		"categorization-diff":  `{"categorization":[` + each(last, last, category) + `]}`,
		"contracts":            `{"contracts":[` + contractList(4+turn) + `]}`,
		"account-history":      `{"histories":[` + histories(first, last) + `]}`,
	}
}

func accountList(turn int) string {
	var list []string
	for a := range accounts {
		list = append(list, fmt.Sprintf(`{"accountId":"account-%d","accountNumber":"100200%d","name":"Giro","owner":"A. Person","type":"giro",`+
			`"iban":"DE0210020030000000%02d","bankName":"Example Bank","currency":"EUR","balance":%d.50,"status":"ok","bankLoginId":"login-1"}`, a, a, a, 1000+turn))
	}
	return strings.Join(list, ",")
}

func contractList(n int) string {
	var list []string
	for c := range n {
		list = append(list, fmt.Sprintf(`{"contractId":"contract-%d","contractPartner":{"id":"p%d","name":"Partner %d"},"amount":-%d.99,"interval":"MONTHLY",`+
			`"category":"rent","tags":["rent"],"nextBookingDate":"2026-12-01","isActive":true,"transactions":["t-20261101-0"]}`, c, c, c, 10+c))
	}
	return strings.Join(list, ",")
}

// each joins what f makes of every day and account.
func each(first, last time.Time, f func(day time.Time, account int) string) string {
	var list []string
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		for a := range accounts {
			list = append(list, f(day, a))
		}
	}
	return strings.Join(list, ",")
}

func booking(day time.Time, a int) string {
	return fmt.Sprintf(`{"transactionId":"t-%s-%d","accountId":"account-%d","amount":-%d.35,"currency":"EUR","bookingDate":"%s","valueDate":"%s",`+
		`"purpose":"Card payment at the corner shop, thank you","paymentPartner":{"name":"Corner Shop","iban":"DE02100200300000000099"},"tags":["groceries"]}`,
		day.Format("20060102"), a, a, day.Day(), day.Format(time.DateOnly), day.Format(time.DateOnly))
}

func category(day time.Time, a int) string {
	return fmt.Sprintf(`{"transactionId":"t-%s-%d","accountId":"account-%d","tags":["groceries"]}`, day.Format("20060102"), a, a)
}

func histories(first, last time.Time) string {
	var list []string
	for a := range accounts {
		var days []string
		for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
			days = append(days, fmt.Sprintf(`{"date":"%s","balance":%d.35}`, day.Format(time.DateOnly), 1000+day.YearDay()))
		}
		list = append(list, fmt.Sprintf(`{"accountId":"account-%d","currency":"EUR","balances":[%s]}`, a, strings.Join(days, ",")))
	}
	return strings.Join(list, ",")
}
