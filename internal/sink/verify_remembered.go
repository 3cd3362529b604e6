package sink

import (
	"context"
	"errors"
	"strings"
)

// checkStates reads the state objects of the job. Nothing that was committed
// depends on them, so that what is wrong with one is a note.
func (v *verifier) checkStates(ctx context.Context) error {
	for info, err := range v.store.List(ctx, v.keys.states(), "") {
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(info.Key, v.keys.states()), ".json")
		if !validState.MatchString(name) || info.Key != v.keys.state(name) {
			v.note(Finding{Where: info.Key, What: "is no object of a job's state", Do: "find out who put it there, and delete it"})
			continue
		}
		_, _, err := getState(ctx, v.store, info.Key)
		switch {
		case errors.Is(err, errNewerState):
			v.note(Finding{Where: info.Key, What: err.Error(), Do: "run the job with the newer program"})
		case errors.Is(err, ErrState):
			v.note(Finding{Where: info.Key, What: err.Error(), Do: "nothing: runs go on without it, and the next one that has something to remember writes it anew"})
		case err != nil:
			return err
		}
	}
	return nil
}
