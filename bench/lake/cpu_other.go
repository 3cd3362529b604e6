//go:build !unix

package lake

import "time"

func cpu() time.Duration { return 0 }
