package sandbox

import (
	"fmt"
	"strings"
)

// iban is a German IBAN with valid check digits.
func iban(bankCode, number string) string {
	bban := bankCode + strings.Repeat("0", max(0, 10-len(number))) + number
	return "DE" + checkDigits(bban+"DE00") + bban
}

// creditorID is a German creditor identifier: its check digits leave out the
// business code.
func creditorID(national string) string {
	return "DE" + checkDigits(national+"DE00") + "ZZZ" + national
}

// checkDigits are those of ISO 7064 mod 97-10, letters counted from A = 10.
func checkDigits(s string) string {
	return fmt.Sprintf("%02d", 98-mod97(s))
}

func mod97(s string) int {
	m := 0
	for _, c := range s {
		if c >= 'A' && c <= 'Z' {
			m = (m*100 + int(c-'A') + 10) % 97
		} else {
			m = (m*10 + int(c-'0')) % 97
		}
	}
	return m
}
