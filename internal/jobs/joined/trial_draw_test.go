package joined

import (
	"fmt"
	"strconv"
	"testing"
)

func TestOthersAreReadBothWaysOnEachDay(t *testing.T) {
	t.Parallel()
	const users, days = 500, 250
	never, most := 0, 0
	for u := range users {
		drawn := 0
		for day := range days {
			if isAudited(strconv.Itoa(day), fmt.Sprint("user", u)) {
				drawn++
			}
		}
		if most = max(most, drawn); drawn == 0 {
			never++
		}
	}
	if never > users/20 || most > days/10 {
		t.Errorf("of %d users on %d days %d were never drawn, one %d times", users, days, never, most)
	}
}
